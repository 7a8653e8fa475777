package dev.exit137.aggregator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.metrics.Samples;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class AggregatorMetricsTest {
    @Test
    void aMetricThatFailsIsLeftOutAndCountedAndTheOthersAreThere() {
        Guard guard = new Guard();
        AggregatorMetrics metrics = new AggregatorMetrics(
                guard,
                List.of(
                        () -> Samples.gauge("first", "One.", 1),
                        () -> {
                            throw new NoClassDefFoundError("a defect of the test");
                        },
                        () -> Samples.gauge("last", "Another.", 2)));

        assertThat(metrics.collect().stream())
                .extracting(metric -> metric.getMetadata().getName())
                .containsExactly("first", "last");
        assertThat(guard.counts()).containsExactly(Map.entry("metrics", 1L));
    }
}
