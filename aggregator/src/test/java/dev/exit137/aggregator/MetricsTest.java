package dev.exit137.aggregator;

import static dev.exit137.aggregator.Fixture.event;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.util.Timestamps;
import dev.exit137.daemon.http.Check;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.WatchEventsRequest;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What Prometheus and kubelet learn of a real aggregator. */
class MetricsTest {
    @TempDir
    private Path dataDir;

    @Test
    void anEventIsStoredOnceHoweverOftenItComes() throws IOException {
        try (Fixture fixture = new Fixture(dataDir)) {
            fixture.publish(
                    fresh("a").build(),
                    fresh("a").build(),
                    fresh("a").setRevision(2).build(),
                    fresh("b").setRecovered(true).build());
            assertThat(metrics(fixture))
                    .contains(
                            "exit137_events_stored_total{kind=\"oom\",recovered=\"false\"} 1.0",
                            "exit137_events_stored_total{kind=\"oom\",recovered=\"true\"} 1.0",
                            "exit137_events_repeated_total{kind=\"oom\"} 1.0",
                            "exit137_events_revised_total{kind=\"oom\"} 1.0",
                            "exit137_store_latency_seconds_count{kind=\"oom\"} 1",
                            "exit137_store_latency_seconds_bucket{kind=\"oom\",le=\"300.0\"} 1",
                            "exit137_store_events 2.0",
                            "exit137_store_writable 1.0");
        }
        try (Fixture fixture = new Fixture(dataDir)) {
            assertThat(metrics(fixture))
                    .contains("exit137_store_events 2.0", "exit137_events_repeated_total{kind=\"oom\"} 0.0");
        }
    }

    @Test
    void endsAreCountedApartFromKills() throws IOException {
        try (Fixture fixture = new Fixture(dataDir)) {
            ExitEvent end = Fixture.exit("a").setTime(Timestamps.now()).build();
            fixture.publish(
                    end,
                    end,
                    end.toBuilder().setRevision(2).build(),
                    Fixture.exit("b").setRecovered(true).build());
            assertThat(metrics(fixture))
                    .contains(
                            "exit137_events_stored_total{kind=\"exit\",recovered=\"false\"} 1.0",
                            "exit137_events_stored_total{kind=\"exit\",recovered=\"true\"} 1.0",
                            "exit137_events_repeated_total{kind=\"exit\"} 1.0",
                            "exit137_events_revised_total{kind=\"exit\"} 1.0",
                            "exit137_store_latency_seconds_count{kind=\"exit\"} 1",
                            "exit137_events_stored_total{kind=\"oom\",recovered=\"false\"} 0.0",
                            "exit137_store_latency_seconds_count{kind=\"oom\"} 0",
                            "exit137_store_events 2.0");
        }
    }

    @Test
    void whoIsConnectedWhoWatchesAndWhatWasRefusedIsTold() throws IOException {
        try (Fixture fixture = new Fixture(dataDir)) {
            TestAgent agent = fixture.agent();
            agent.send(fresh("a").build());
            agent.nextAck();
            fixture.watch(WatchEventsRequest.getDefaultInstance());
            TestAgent bad = fixture.agent();
            bad.sendEmpty();
            bad.end();
            assertThat(metrics(fixture))
                    .contains(
                            "exit137_connected_agents 1.0",
                            "exit137_watchers 1.0",
                            "exit137_refusals_total{reason=\"invalid_message\"} 1.0",
                            "exit137_refusals_total{reason=\"wrong_node\"} 0.0");
        }
    }

    @Test
    void theLossesOfAllNodesAreSummed() throws IOException {
        try (Fixture fixture = new Fixture(dataDir)) {
            for (String node : List.of("node-a", "node-b")) {
                TestAgent agent = fixture.agent();
                AgentStatus.Builder status =
                        AgentStatus.newBuilder().setNode(Node.newBuilder().setName(node));
                status.getLossesBuilder().setKmsgRecordsOverwritten(21);
                agent.send(status.build());
                agent.finish();
            }
            assertThat(metrics(fixture))
                    .contains(
                            "exit137_node_losses{kind=\"kmsg_records_overwritten\"} 42.0",
                            "exit137_node_losses{kind=\"kills_ambiguous\"} 0.0");
        }
    }

    @Test
    void anAggregatorThatHasEndedIsNeitherAliveNorReady() throws IOException {
        Fixture fixture = new Fixture(dataDir);
        Aggregator aggregator = fixture.aggregator();
        assertThat(aggregator.alive())
                .extracting(Check::toString)
                .containsExactly("exit137-grpc ok", "exit137-store ok");
        assertThat(aggregator.ready()).extracting(Check::toString).containsExactly("serving ok", "store ok");
        fixture.close();
        assertThat(aggregator.alive())
                .containsExactly(Check.failed("exit137-grpc", "has ended"), Check.failed("exit137-store", "has ended"));
        assertThat(aggregator.ready()).contains(Check.failed("serving", "has ended"));
    }

    private static OomKillEvent.Builder fresh(String id) {
        return event(id).setTime(Timestamps.now());
    }

    private static List<String> metrics(Fixture fixture) throws IOException {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        PrometheusTextFormatWriter.create().write(text, fixture.aggregator().metrics());
        return text.toString(StandardCharsets.UTF_8).lines().toList();
    }
}
