package dev.exit137.cli.options;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

class TimesTest {
    private static final Instant NOW = Instant.parse("2026-05-01T12:00:00Z");
    private static final InstantSource CLOCK = InstantSource.fixed(NOW);

    @ParameterizedTest
    @CsvSource({"500ms, PT0.5S", "30s, PT30S", "15m, PT15M", "2h, PT2H", "1d, PT24H", "0s, PT0S"})
    void aDurationIsANumberAndAUnit(String text, Duration duration) {
        assertThat(Times.duration(text)).isEqualTo(duration);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "5", "m", "-5m", "1.5h", "5 m", "5w", "99999999999d", "PT5M"})
    void whatIsNotOneIsRefusedWithTheRule(String text) {
        assertThatThrownBy(() -> Times.duration(text))
                .isInstanceOf(TypeConversionException.class)
                .hasMessageContaining("'" + text + "'")
                .hasMessageContaining("ms, s, m, h, d");
    }

    @ParameterizedTest
    @CsvSource({
        "now, 2026-05-01T12:00:00Z",
        "1d, 2026-04-30T12:00:00Z",
        "2026-05-01T10:30:00Z, 2026-05-01T10:30:00Z",
        "2026-05-01T10:30:00.25+02:00, 2026-05-01T08:30:00.25Z",
    })
    void aTimeIsAnInstantOrAnAge(String text, Instant instant) {
        assertThat(Times.instant(text, CLOCK)).isEqualTo(instant);
    }

    @Test
    void aTimeWithoutAZoneIsRefusedSinceItCouldMeanTwoThings() {
        assertThatThrownBy(() -> Times.instant("2026-05-01T10:30:00", CLOCK))
                .isInstanceOf(TypeConversionException.class)
                .hasMessageContaining("with its zone");
    }
}
