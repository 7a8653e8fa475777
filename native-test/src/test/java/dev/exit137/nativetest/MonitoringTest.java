package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import dev.exit137.proto.v1.OomKillEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A real Prometheus watches an agent and an aggregator on this machine while the kernel kills. */
@Tag("kernel")
class MonitoringTest {
    private static final Duration LIMIT = Duration.ofMinutes(4);
    private static final String UNIT = "backup.service";
    private static final String POD = "pod0f6f9a2c-1111-2222-3333-444455556666";
    private static final Pattern METRIC = Pattern.compile("\\bexit137_[a-z0-9_]+");

    private final Path out = Bed.freshDirectory("monitoring");
    private ScratchCgroup root;
    private ScratchCgroup unit;
    private ScratchCgroup kubepods;
    private ScratchCgroup pod;
    private ScratchCgroup holding;
    private ScratchCgroup innocent;
    private Process holder;
    private Process aggregator;
    private Process agent;
    private Prometheus prometheus;

    @BeforeEach
    void start() throws Exception {
        String program = AlertRules.program("prometheus");
        root = ScratchCgroup.make("a Prometheus that watches real kills", "monitoring");
        unit = root.child(UNIT);
        unit.limit(20 << 20);
        kubepods = root.child("kubepods");
        pod = kubepods.child(POD);
        pod.limit(64 << 20);
        // These cgroups have no container ids, so that the agent waits for no runtime.
        holding = pod.child("holding");
        innocent = pod.child("innocent");
        // The kill is before the agent's start: the agent finds it in the kernel's log.
        kill(unit);
        String ingest = "127.0.0.1:" + LiveAgent.freePort();
        String ofAggregator = "127.0.0.1:" + LiveAgent.freePort();
        String ofAgent = "127.0.0.1:" + LiveAgent.freePort();
        aggregator =
                daemon("aggregator", "--listen", ingest, "--http-listen", ofAggregator, "--data-dir", file("data"));
        agent = daemon(
                "agent",
                "--aggregator",
                ingest,
                "--http-listen",
                ofAgent,
                "--state-dir",
                file("state"),
                "--node-name",
                "bed",
                "--cluster-name",
                "shop",
                "--log-events");
        prometheus = new Prometheus(out, program, Map.of("exit137-agent", ofAgent, "exit137-aggregator", ofAggregator));
    }

    private String file(String name) {
        return out.resolve(name).toString();
    }

    private Process daemon(String subcommand, String... flags) throws IOException {
        return new ProcessBuilder(Stream.concat(
                                Stream.of("timeout", "-k", "5", "1800", Bed.exit137(), subcommand), Stream.of(flags))
                        .toList())
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(out.resolve(subcommand + ".jsonl").toFile())
                .redirectError(out.resolve(subcommand + ".log").toFile())
                .start();
    }

    @AfterEach
    void end() throws Exception {
        for (Process process : new Process[] {holder, agent, aggregator}) {
            if (process != null) {
                Bed.end(process);
            }
        }
        Bed.close(prometheus, innocent, holding, pod, kubepods, unit, root);
    }

    /** Lets the kernel kill a process that keeps all that it reads, before any other. */
    private void kill(ScratchCgroup cgroup) {
        Bed.run(
                out,
                "victim",
                LIMIT,
                new ProcessBuilder(
                        "sh", "-c", cgroup.enter() + "echo 1000 > /proc/self/oom_score_adj; exec tail /dev/zero"));
    }

    @Test
    void oldKillsRaiseNoAlertNewOnesDoAndTheDashboardShowsThem() throws Exception {
        await("a recovered kill", "sum(exit137_recovered_oom_kills_total) >= 1");
        await("rules evaluated since", "count_over_time(exit137:unaccounted_kills[1m]) >= 3");
        await("both jobs", "count(up == 1) == 2");
        assertThat(prometheus.firing()).isEmpty();

        for (int i = 0; i < 3; i++) {
            kill(unit);
        }
        killWhoHoldsLittle();

        List<Prometheus.Alert> alerts = Bed.await("both alerts", LIMIT, prometheus::firing, all -> all.size() >= 2);
        assertThat(alerts)
                .extracting(Prometheus.Alert::name)
                .containsOnly("Exit137WorkloadKilledRepeatedly", "Exit137InnocentVictim");
        assertThat(alerts)
                .allSatisfy(alert -> assertThat(alert.annotations().values())
                        .noneMatch(text -> text.contains("error") || text.contains("<no value>")));
        assertThat(alerts)
                .filteredOn(alert -> alert.labels().containsKey("workload"))
                .singleElement()
                .satisfies(alert -> assertThat(alert.annotations().get("summary"))
                        .isEqualTo(UNIT + " runs out of memory again and again"));
        assertThat(alerts).anySatisfy(alert -> assertThat(alert.labels()).containsEntry("limit_owner", "pod"));

        assertEveryMetricIsThere();
        for (String query : dashboardQueries()) {
            Bed.await(
                    "data for " + query,
                    LIMIT,
                    () -> prometheus.query(query),
                    samples -> samples.stream().anyMatch(sample -> !Double.isNaN(sample.value())));
        }
        assertEachKillIsALineOfTheLog();
    }

    /** Kills a process in a pod in which another process holds most of the pod's limit. */
    private void killWhoHoldsLittle() throws IOException {
        holder = new ProcessBuilder(
                        "sh", "-c", holding.enter() + "(head -c 44m /dev/zero; exec sleep 1800) | exec tail")
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        Bed.await("a full pod", LIMIT, holding::usageBytes, bytes -> bytes > 44 << 20);
        kill(innocent);
    }

    private void await(String what, String condition) {
        Bed.await(what, LIMIT, () -> prometheus.query(condition), samples -> !samples.isEmpty());
    }

    /** The rules and the dashboard use only metrics that the daemons have: an alert on a missing metric never fires. */
    private void assertEveryMetricIsThere() throws IOException {
        SortedSet<String> names = new TreeSet<>();
        String rules = Files.readString(AlertRules.OVERLAY.resolve("prometheusrule.yaml"));
        Stream.concat(Stream.of(rules), dashboardQueries().stream())
                .forEach(text -> METRIC.matcher(text).results().forEach(match -> names.add(match.group())));
        assertThat(names)
                .hasSizeGreaterThan(15)
                .allSatisfy(name -> assertThat(prometheus.query(name)).as(name).isNotEmpty());
    }

    /** Returns the dashboard's queries as Grafana sends them, for all namespaces. */
    private static List<String> dashboardQueries() throws IOException {
        List<String> queries = expressions(
                        JsonParser.parseString(Files.readString(AlertRules.OVERLAY.resolve("dashboard.json"))))
                .map(query -> query.replace("$__rate_interval", "5m").replace("$namespace", ".*"))
                .toList();
        assertThat(queries).hasSizeGreaterThan(20).noneMatch(query -> query.contains("$"));
        return queries;
    }

    private static Stream<String> expressions(JsonElement element) {
        if (element.isJsonArray()) {
            return element.getAsJsonArray().asList().stream().flatMap(MonitoringTest::expressions);
        }
        if (!element.isJsonObject()) {
            return Stream.empty();
        }
        return element.getAsJsonObject().entrySet().stream()
                .flatMap(field -> field.getKey().equals("expr")
                        ? Stream.of(field.getValue().getAsString())
                        : expressions(field.getValue()));
    }

    private void assertEachKillIsALineOfTheLog() {
        List<OomKillEvent> events =
                Events.parse(Bed.lines(out.resolve("agent.jsonl"))).received();
        assertThat(events)
                .filteredOn(
                        event -> !event.getRecovered() && event.getCgroupPath().contains(root.name()))
                .extracting(OomKillEvent::getEventId)
                .hasSize(4)
                .doesNotHaveDuplicates();
        assertThat(events)
                .allSatisfy(event -> assertThat(event.getNode().getCluster()).isEqualTo("shop"));
        assertThat(Bed.lines(out.resolve("agent.log"))).isNotEmpty().allMatch(line -> line.startsWith("time="));
    }
}
