package dev.exit137.aggregator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.exit137.aggregator.store.Retention;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AggregatorConfigTest {
    private static final Path DATA_DIR = Path.of("data");

    @Test
    void theDefaultsAreTheDocumentedOnes() {
        assertThat(AggregatorConfig.DEFAULT_LISTEN_HOST).isEqualTo("127.0.0.1");
        assertThat(AggregatorConfig.DEFAULT_LISTEN_PORT).isEqualTo(9137);
        assertThat(AggregatorConfig.DEFAULT_DATA_DIR).hasToString("/var/lib/exit137/aggregator");
        assertThat(new AggregatorConfig("127.0.0.1", 0, DATA_DIR).retention())
                .isEqualTo(new Retention(Duration.ofDays(30), 1 << 30, Duration.ofDays(7), Duration.ofDays(30)));
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 65536})
    void aPortOutOfRangeIsNamed(int port) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AggregatorConfig("127.0.0.1", port, DATA_DIR))
                .withMessageContaining(String.valueOf(port));
    }

    @Test
    void anEmptyHostOrDataDirectoryIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AggregatorConfig(" ", 0, DATA_DIR))
                .withMessageContaining("host");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new AggregatorConfig("127.0.0.1", 0, Path.of("")))
                .withMessageContaining("data directory");
    }
}
