package dev.exit137.cli.options;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

class SizeOptionTest {
    @ParameterizedTest
    @CsvSource({
        "0B, 0",
        "999B, 999",
        "4KiB, 4096",
        "512MiB, 536870912",
        "1GiB, 1073741824",
        "2TiB, 2199023255552",
        "999999999TiB, 9223372036854775807",
    })
    void aSizeIsANumberAndAUnit(String text, long bytes) {
        assertThat(SizeOption.bytes(text)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "5", "MiB", "-5MiB", "1.5GiB", "5 MiB", "5MB", "9999999999B"})
    void whatIsNotOneIsRefusedWithTheRule(String text) {
        assertThatThrownBy(() -> SizeOption.bytes(text))
                .isInstanceOf(TypeConversionException.class)
                .hasMessageContaining("'" + text + "'")
                .hasMessageContaining("512MiB");
    }
}
