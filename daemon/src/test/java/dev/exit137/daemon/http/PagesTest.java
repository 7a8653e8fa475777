package dev.exit137.daemon.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.metrics.Samples;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

class PagesTest {
    private final Guard guard = new Guard();

    @Test
    void aPartWhoseMetricsFailTakesNoOthersAndIsCountedOnThePage() {
        Pages pages = new Pages(
                guard,
                part(() -> new MetricSnapshots(Samples.gauge("first", "One.", 1))),
                part(() -> {
                    throw new NoClassDefFoundError("a defect");
                }),
                part(() -> new MetricSnapshots(Samples.gauge("last", "Another.", 2))));

        Answer answer = pages.at("/metrics");

        assertThat(answer.status()).isEqualTo(200);
        assertThat(new String(answer.body(), UTF_8).lines())
                .contains("first 1.0", "last 2.0", "exit137_internal_errors_total{place=\"metrics\"} 1.0")
                .anyMatch(line -> line.startsWith("process_start_time_seconds "));
    }

    private static Observed part(Supplier<MetricSnapshots> metrics) {
        return new Observed() {
            @Override
            public List<Check> alive() {
                return List.of();
            }

            @Override
            public List<Check> ready() {
                return List.of();
            }

            @Override
            public MetricSnapshots metrics() {
                return metrics.get();
            }
        };
    }
}
