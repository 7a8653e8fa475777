package dev.exit137.agent.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.Scrape;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.Test;

class KillMetricsTest {
    private static final int MAX_SERIES = 10;
    private static final String KILLS = "exit137_oom_kills_total";
    private static final String INCIDENTS = "exit137_oom_incidents_total";

    private final KillMetrics metrics = new KillMetrics(MAX_SERIES);

    @Test
    void aGroupOfProcessesKilledTogetherIsOneIncident() {
        for (int process = 0; process < 3; process++) {
            metrics.count(
                    kill("shop", "cart", "web").setEventId("kill-" + process).build());
        }
        assertThat(sum(KILLS)).isEqualTo(3);
        assertThat(sum(INCIDENTS)).isEqualTo(1);
    }

    @Test
    void anOomThatKilledNothingIsAnIncidentAndNoKill() {
        metrics.count(kill("shop", "cart", "web")
                .setOutcome(Outcome.NO_KILLABLE_PROCESS)
                .clearVictim()
                .build());
        assertThat(sum(KILLS)).isZero();
        assertThat(sum(INCIDENTS)).isEqualTo(1);
    }

    /** A counter told of it first, under an id of its own; then the kernel's record came, with those of others. */
    @Test
    void aKillWhoseRecordComesLateMakesNoSecondIncident() {
        metrics.count(kill("shop", "cart", "web").build());
        OomKillEvent.Builder better = kill("shop", "cart", "web").setRevision(2);
        better.getIncidentBuilder().setId("incident-of-the-record");
        metrics.revised(better.build());
        metrics.count(better.clone().setEventId("another-of-it").setRevision(1).build());
        assertThat(sum(KILLS)).isEqualTo(2);
        assertThat(sum(INCIDENTS)).isEqualTo(1);
    }

    @Test
    void whatIsNotKnownIsEmptyAndEnumsAreInLowerCase() {
        OomKillEvent.Builder event =
                OomKillEvent.newBuilder().setOutcome(Outcome.KILLED).setScope(Scope.UNKNOWN);
        metrics.count(event.build());
        event.setScope(Scope.CPUSET)
                .getIncidentBuilder()
                .setId("2")
                .getLimitBuilder()
                .setOwner(Limit.Owner.NODE_ALLOCATABLE);
        metrics.count(event.build());
        assertThat(Scrape.counted(metrics.snapshots(), KILLS))
                .containsOnlyKeys(
                        "{container=\"\",limit_owner=\"\",namespace=\"\",scope=\"\",workload=\"\"}",
                        "{container=\"\",limit_owner=\"node_allocatable\",namespace=\"\",scope=\"cpuset\",workload=\"\"}");
    }

    /** Each pod of a job has another name. */
    @Test
    void podsWithoutALabelForTheirWorkloadShareASeries() {
        for (int pod = 0; pod < 50; pod++) {
            OomKillEvent.Builder event = kill("shop", "", "job").setEventId("kill-" + pod);
            event.getContainerBuilder().getPodBuilder().setName("nightly-" + pod);
            metrics.count(event.build());
        }
        assertThat(Scrape.counted(metrics.snapshots(), KILLS))
                .containsExactly(Map.entry(series("job", "shop", ""), 50.0));
    }

    @Test
    void aHundredThousandNamesTakeAsManySeriesAsTheyMayAndNoKillIsLost() {
        int names = 100_000;
        for (int name = 0; name < names; name++) {
            metrics.count(kill("namespace-" + name, "app-" + name, "c")
                    .setEventId("kill-" + name)
                    .build());
        }
        Map<String, Double> counted = Scrape.counted(metrics.snapshots(), KILLS);
        assertThat(counted).hasSize(MAX_SERIES + 1).containsEntry(series("", "", "other_workloads"), names - 10.0);
        assertThat(sum(KILLS)).isEqualTo(names);
        assertThat(Scrape.of(metrics.snapshots()).get("exit137_series_overflows_total"))
                .as("kills; their one incident is that of the first")
                .isEqualTo(names - 10.0);
        // Who has a series keeps it.
        metrics.count(kill("namespace-0", "app-0", "c").setEventId("again").build());
        assertThat(Scrape.counted(metrics.snapshots(), KILLS)).containsEntry(series("c", "namespace-0", "app-0"), 2.0);
    }

    @Test
    void aHostileNameIsOneSeriesInOneLine() {
        String namespace = "a\"b\\c\nexit137_oom_kills_total 1000";
        metrics.count(
                kill(namespace, "x".repeat(1 << 20), "\uD83D\uDE00".repeat(100)).build());
        String series =
                Scrape.counted(metrics.snapshots(), KILLS).keySet().iterator().next();
        assertThat(series)
                .contains("namespace=\"a\\\"b\\\\c\\nexit137_oom_kills_total 1000\"")
                .contains("workload=\"" + "x".repeat(127) + "…\"")
                .contains("container=\"" + "\uD83D\uDE00".repeat(63) + "…\"")
                .doesNotContain("?");
        assertThat(sum(KILLS)).isEqualTo(1);
    }

    @Test
    void onlyTheFirstSendingOfAnEventIsMeasured() {
        OomKillEvent event = kill("shop", "cart", "web").build();
        metrics.sent(event, Instant.ofEpochSecond(1_700_000_002));
        metrics.sent(event, Instant.ofEpochSecond(1_700_000_900));
        OomKillEvent before =
                event.toBuilder().setEventId("from-before").setRecovered(true).build();
        metrics.sent(before, Instant.ofEpochSecond(1_800_000_000));
        Map<String, Double> series = Scrape.of(metrics.snapshots());
        assertThat(series)
                .containsEntry("exit137_send_latency_seconds_count", 1.0)
                .containsEntry("exit137_send_latency_seconds_sum", 2.0)
                .containsEntry("exit137_send_latency_seconds_bucket{le=\"1.0\"}", 0.0)
                .containsEntry("exit137_send_latency_seconds_bucket{le=\"2.5\"}", 1.0);
    }

    @Test
    void aSidecarThatDiesForItsPodsLimitIsAnInnocentVictim() {
        OomKillEvent.Builder event = kill("shop", "cart", "sidecar").setCgroupPath("/kubepods/pod1/sidecar");
        event.getIncidentBuilder().setTaskMemcg("/kubepods/pod1/sidecar");
        event.getIncidentBuilder()
                .getLimitBuilder()
                .setOwner(Limit.Owner.POD)
                .setCgroup("/kubepods/pod1")
                .setLimitBytes(1L << 30)
                .setUsageBytes(1L << 30);
        event.getVictimBuilder().setAnonRssBytes(5 << 20);
        metrics.count(event.build());
        assertThat(sum("exit137_innocent_victim_kills_total")).isEqualTo(1);
    }

    private double sum(String metric) {
        return Scrape.counted(metrics.snapshots(), metric).values().stream()
                .mapToDouble(Double::doubleValue)
                .sum();
    }

    private static String series(String container, String namespace, String workload) {
        return "{container=\"" + container + "\",limit_owner=\"container\",namespace=\"" + namespace
                + "\",scope=\"memcg\",workload=\"" + workload + "\"}";
    }

    private static OomKillEvent.Builder kill(String namespace, String app, String container) {
        OomKillEvent.Builder event = OomKillEvent.newBuilder()
                .setEventId("kill")
                .setRevision(1)
                .setOutcome(Outcome.KILLED)
                .setScope(Scope.MEMCG);
        event.getTimeBuilder().setSeconds(1_700_000_000);
        event.getVictimBuilder().setPid(11).setAnonRssBytes(64 << 20);
        event.getIncidentBuilder().setId("incident").getLimitBuilder().setOwner(Limit.Owner.CONTAINER);
        event.getContainerBuilder()
                .setId("4f0c")
                .setName(container)
                .getPodBuilder()
                .setNamespace(namespace);
        if (!app.isEmpty()) {
            event.getContainerBuilder().getPodBuilder().putLabels("app", app);
        }
        return event;
    }
}
