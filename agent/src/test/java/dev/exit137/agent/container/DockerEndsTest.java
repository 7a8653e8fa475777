package dev.exit137.agent.container;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.exit137.agent.Await;
import dev.exit137.agent.PidNamespace;
import dev.exit137.agent.container.Identities.Pace;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.RuntimeAction.Kind;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Replays the event stream of a real Docker Engine 20.10, recorded while containers were ended in every way. */
class DockerEndsTest {
    private static final List<JsonObject> RECORDED = recorded();
    private static final long UNLIMITED = -1;

    @TempDir
    private Path directory;

    private static final InstantSource CLOCK = InstantSource.fixed(Instant.parse("2026-12-01T00:00:00Z"));

    private final Guard guard = new Guard();
    private final ToldEnds ends = new ToldEnds();
    private FakeDocker docker;
    private Identities identities;

    private static List<JsonObject> recorded() {
        try (InputStream in =
                DockerEndsTest.class.getResourceAsStream("/dev/exit137/agent/exit/docker-events-20.10.jsonl")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .map(line -> JsonParser.parseString(line).getAsJsonObject())
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @BeforeEach
    void start() {
        PidNamespace.MACHINE.of(directory);
        docker = new FakeDocker(directory.resolve("docker.sock"));
        startAgent(Instant.MAX);
    }

    private void startAgent(Instant since) {
        identities = new Identities(
                new RuntimeSockets(List.of(), List.of(directory.resolve("docker.sock"))),
                LabelFilter.DEFAULT,
                directory,
                ends,
                since,
                ContainerdLog.OFF,
                new Pace(
                        Duration.ofMillis(20),
                        Duration.ofSeconds(5),
                        Duration.ofMillis(5),
                        Duration.ofMinutes(5),
                        Duration.ofMinutes(5)),
                CLOCK,
                guard);
        identities.start();
        int before = docker.watched().size();
        Await.until("the stream", () -> docker.watched().size(), streams -> streams > before);
    }

    @AfterEach
    void end() {
        identities.close();
        docker.close();
    }

    // ---- what was recorded

    private static JsonObject actor(JsonObject event) {
        return event.getAsJsonObject("Actor");
    }

    private static List<JsonObject> of(String name) {
        return RECORDED.stream()
                .filter(event -> actor(event)
                        .getAsJsonObject("Attributes")
                        .get("name")
                        .getAsString()
                        .equals(name))
                .toList();
    }

    private static String id(String name) {
        return actor(of(name).getFirst()).get("ID").getAsString();
    }

    private static String action(JsonObject event) {
        return event.get("Action").getAsString();
    }

    private static Instant time(String name, String action) {
        return of(name).stream()
                .filter(event -> action(event).equals(action))
                .map(event -> Instant.ofEpochSecond(0, event.get("timeNano").getAsLong()))
                .findFirst()
                .orElse(Instant.parse("0001-01-01T00:00:00Z"));
    }

    private static String path(String name) {
        return "/containers/" + id(name) + "/json";
    }

    /** Docker's record of a container that runs, or has ended by this code 90 ms before the event. */
    private static String record(String name, int pid, int code, String error) {
        Instant died = time(name, "die");
        Instant finished =
                pid > 0 || died.isBefore(Instant.EPOCH) ? Instant.parse("0001-01-01T00:00:00Z") : died.minusMillis(90);
        String status = pid > 0 ? "running" : error.isEmpty() ? "exited" : "created";
        return "{\"Id\":\"" + id(name) + "\",\"Name\":\"/" + name + "\",\"Created\":\"" + time(name, "create")
                + "\",\"Path\":\"/bin/sh\",\"Args\":[\"-c\",\"s3cr3t\"],\"State\":{\"Status\":\"" + status
                + "\",\"Running\":" + (pid > 0) + ",\"OOMKilled\":false,\"Pid\":" + pid + ",\"ExitCode\":" + code
                + ",\"Error\":\"" + error + "\",\"StartedAt\":\"" + time(name, "start") + "\",\"FinishedAt\":\""
                + finished
                + "\"},\"HostConfig\":{\"Memory\":33554432,\"MemorySwap\":67108864,\"RestartPolicy\":{\"Name\":\"on-failure\","
                + "\"MaximumRetryCount\":3},\"OomKillDisable\":null,\"OomScoreAdj\":0,\"Init\":null},"
                + "\"Config\":{\"Image\":\"bb:1\",\"StopTimeout\":7,\"StopSignal\":\"SIGTERM\",\"Labels\":{"
                + "\"com.docker.compose.service\":\"web\",\"token\":\"s3cr3t\"}}}";
    }

    /** Tells what was recorded of a container, and answers as Docker did meanwhile. */
    private void replay(String name, int code) {
        docker.answers(path(name), record(name, 0, code, ""));
        of(name).forEach(event -> docker.says(event.toString()));
    }

    private static int code(End end) {
        return end.reported().getExitCode();
    }

    private static Instant endedAt(End end) {
        return Instant.ofEpochSecond(
                end.reported().getEndedAt().getSeconds(),
                end.reported().getEndedAt().getNanos());
    }

    // ---- the ways of ending

    @Test
    void aStopThatWasIgnoredHasBothSignalsAndTheRequestThatComesLast() throws IOException {
        Files.createDirectories(directory.resolve("4711"));
        Files.writeString(directory.resolve("4711/cgroup"), "0::/system.slice/docker-" + id("a1") + ".scope\n");
        docker.answers(path("a1"), record("a1", 4711, 0, ""));
        of("a1").subList(0, 2).forEach(event -> docker.says(event.toString()));
        Await.until(
                "its main pid",
                () -> identities.find(id("a1")),
                known -> known.filter(Identity::isWhole).isPresent());
        replay("a1", 137);

        End end = ends.await(id("a1"), Kind.STOP);
        assertThat(ToldEnds.words(end)).isEqualTo("KILL 15, KILL 9, DIE 137, STOP");
        ExitEvent event = end.reported();
        assertThat(event.getExitCode()).isEqualTo(137);
        assertThat(event.hasSignal()).as("a program can say 137 itself").isFalse();
        assertThat(event.getSubject()).isEqualTo(ExitEvent.Subject.CONTAINER);
        assertThat(event.getProcess().getPid()).isEqualTo(4711);
        assertThat(event.getContainer().getName()).isEqualTo("a1");
        assertThat(event.getContainer().getImage()).isEqualTo("bb:1");
        assertThat(event.getContainer().getRuntime()).isEqualTo("docker");
        assertThat(event.getComposeLabelsMap()).isEqualTo(Map.of("com.docker.compose.service", "web"));
        assertThat(event.getEvidenceList()).containsExactly(Evidence.DOCKER);
        assertThat(event.getSettings().getMemoryLimitBytes()).isEqualTo(32 << 20);
        assertThat(event.getSettings().getMemorySwapLimitBytes()).isEqualTo(64 << 20);
        assertThat(event.getSettings().getRestartPolicy()).isEqualTo("on-failure:3");
        assertThat(event.getSettings().getStopGrace().getSeconds()).isEqualTo(7);
        assertThat(event.getSettings().getInitProgram()).isEqualTo("sh");
        assertThat(event.toString()).doesNotContain("s3cr3t");
        assertThat(ends.of(id("a1")))
                .as("each is the same end")
                .allSatisfy(each -> assertThat(endedAt(each)).isEqualTo(endedAt(end)));
    }

    @Test
    void aKillByAClientHasItsSignalAndNoStop() {
        replay("a2", 137);
        assertThat(ToldEnds.words(ends.await(id("a2"), Kind.DIE))).isEqualTo("KILL 9, DIE 137");
    }

    @Test
    void aTermThatTheProgramObeysEndsByItsOwnCode() {
        replay("a3", 143);
        End end = ends.await(id("a3"), Kind.DIE);
        assertThat(ToldEnds.words(end)).isEqualTo("KILL 15, DIE 143");
        assertThat(code(end)).isEqualTo(143);
    }

    @Test
    void aContainerThatIsRemovedBeforeItIsAskedAboutHasTheCodeAndNameOfItsEvent() {
        of("a4").forEach(event -> docker.says(event.toString()));

        End end = ends.await(id("a4"), Kind.DESTROY);
        assertThat(ToldEnds.words(end)).isEqualTo("KILL 9, DIE 137, DESTROY");
        assertThat(code(end)).isEqualTo(137);
        assertThat(end.reported().getContainer().getName()).isEqualTo("a4");
        assertThat(end.reported().getContainer().getImage()).isEqualTo("bb:1");
        assertThat(endedAt(end)).isEqualTo(time("a4", "die"));
    }

    @Test
    void anOomComesBeforeTheEnd() {
        replay("a5", 137);
        assertThat(ToldEnds.words(ends.await(id("a5"), Kind.DIE))).isEqualTo("OOM, DIE 137");
    }

    @Test
    void anOomOfAChildIsNoEndAndIsKeptForTheOneThatComes() {
        docker.answers(path("a6"), record("a6", 0, 7, ""));
        of("a6").stream().filter(event -> !action(event).equals("die")).forEach(event -> docker.says(event.toString()));
        replay("b8", 3);
        ends.await(id("b8"), Kind.DIE);
        assertThat(ends.of(id("a6"))).as("the container lives on").isEmpty();

        replay("a6", 7);
        End end = ends.await(id("a6"), Kind.DIE);
        assertThat(ToldEnds.words(end)).isEqualTo("OOM, DIE 7");
        assertThat(code(end)).isEqualTo(7);
    }

    @Test
    void aKillFromTheHostHasNoActionButTheEnd() {
        replay("a7", 137);
        assertThat(ToldEnds.words(ends.await(id("a7"), Kind.DIE))).isEqualTo("DIE 137");
    }

    @Test
    void theProcessOfAnExecIsNotTheContainersAndARestartIsAnEndOfItsOwn() {
        docker.answers(path("a8"), record("a8", 0, 137, ""));
        List<JsonObject> all = of("a8");
        all.forEach(event -> docker.says(event.toString()));

        ends.await(id("a8"), Kind.DESTROY);
        List<Instant> times = ends.of(id("a8")).stream()
                .map(DockerEndsTest::endedAt)
                .distinct()
                .toList();
        assertThat(times).hasSize(2);
        assertThat(lastAt(id("a8"), times.getFirst())).isEqualTo("KILL 15, KILL 9, DIE 137, STOP, RESTART");
        assertThat(lastAt(id("a8"), times.getLast())).isEqualTo("KILL 9, DIE 137, DESTROY");
    }

    private String lastAt(String id, Instant time) {
        return ToldEnds.words(ends.of(id).stream()
                .filter(end -> endedAt(end).equals(time))
                .toList()
                .getLast());
    }

    @Test
    void aPausedContainerIsKilled() {
        replay("b1", 137);
        assertThat(ToldEnds.words(ends.await(id("b1"), Kind.DIE))).isEqualTo("PAUSE, KILL 9, DIE 137");
    }

    @Test
    void aProgramThatIsNotThereAndOneThatCannotRunNeverStarted() {
        docker.answers(path("b2"), record("b2", 0, 127, "exec: nosuch: executable file not found"));
        docker.answers(path("b3"), record("b3", 0, 126, "exec: /etc: permission denied"));
        of("b2").forEach(event -> docker.says(event.toString()));
        of("b3").forEach(event -> docker.says(event.toString()));

        End missing = ends.await(id("b2"), end -> true);
        assertThat(code(missing)).isEqualTo(127);
        assertThat(missing.reported().hasStartedAt()).isFalse();
        assertThat(missing.reported().hasProcess()).isFalse();
        assertThat(endedAt(missing)).isEqualTo(time("b2", "create"));
        assertThat(code(ends.await(id("b3"), end -> true))).isEqualTo(126);
    }

    @Test
    void aSuccessIsNoEndToReport() {
        replay("b4", 0);
        replay("b8", 3);
        assertThat(code(ends.await(id("b8"), Kind.DIE))).isEqualTo(3);
        assertThat(ends.of(id("b4"))).isEmpty();
    }

    @Test
    void aShimThatDiedIsAnEndBy255InTheEventAndBy137InTheRecord() {
        replay("b6", 137);
        End end = ends.await(id("b6"), told -> code(told) == 137);
        assertThat(ToldEnds.words(end)).isEqualTo("DIE 255");
        assertThat(endedAt(end))
                .as("as the record has it")
                .isEqualTo(time("b6", "die").minusMillis(90));
    }

    @Test
    void aContainerThatRunsAgainKeepsTheCodeOfTheEventAndItsSettings() {
        docker.answers(
                path("a7"),
                record("a7", 99, 0, "")
                        .replace(
                                "0001-01-01T00:00:00Z",
                                time("a7", "die").minusMillis(90).toString()));
        of("a7").forEach(event -> docker.says(event.toString()));
        End end = ends.await(id("a7"), Kind.DIE);
        assertThat(code(end)).isEqualTo(137);
        assertThat(end.reported().getSettings().getStopGrace().getSeconds()).isEqualTo(7);
        assertThat(end.reported().hasProcess()).as("99 is of the next life").isFalse();
    }

    // ---- when something is wrong

    /** Its network ends with it, and only then does Docker know why it did not start. */
    @Test
    void aContainerThatFailedToStartIsLookedAtWhenItsNetworkEnds() {
        String id = "feed".repeat(16);
        docker.says("{\"Type\":\"container\",\"Action\":\"create\",\"Actor\":{\"ID\":\"" + id
                + "\",\"Attributes\":{\"name\":\"gone\"}},\"timeNano\":1796003922980015033}");
        docker.answers(
                "/containers/" + id + "/json",
                "{\"Id\":\"" + id
                        + "\",\"Name\":\"/gone\",\"Created\":\"2026-11-30T01:58:42.9Z\",\"State\":{\"Status\":"
                        + "\"created\",\"Pid\":0,\"ExitCode\":127,\"Error\":\"no such file\",\"StartedAt\":"
                        + "\"0001-01-01T00:00:00Z\",\"FinishedAt\":\"0001-01-01T00:00:00Z\"}}");
        docker.says("{\"Type\":\"network\",\"Action\":\"disconnect\",\"Actor\":{\"ID\":\"0123\",\"Attributes\":{"
                + "\"container\":\"" + id + "\",\"name\":\"none\"}},\"timeNano\":1796003922990015033}");
        End end = ends.await(id, told -> true);
        assertThat(end.reported().getExitCode()).isEqualTo(127);
        assertThat(end.reported().hasStartedAt()).isFalse();
    }

    @Test
    void eventsThatCannotBeAreCountedAndNothingIsInventedOfThem() {
        long future = CLOCK.instant().plusSeconds(3600).getEpochSecond();
        docker.says("{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"" + "beef".repeat(16)
                + "\",\"Attributes\":{\"exitCode\":\"1\"}},\"timeNano\":" + future + "000000000}");
        docker.says("{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"" + "cafe".repeat(16)
                + "\",\"Attributes\":{\"exitCode\":\"999\"}},\"timeNano\":1796003922980015033}");
        docker.says("{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"\",\"Attributes\":{\"exitCode\":"
                + "\"1\"}},\"timeNano\":1796003922980015034}");
        of("a7").forEach(event -> docker.says(event.toString()));
        ends.await(id("a7"), told -> true);
        assertThat(ends.all())
                .extracting(end -> end.reported().getContainer().getId())
                .containsOnly(id("a7"));
        assertThat(guard.counts()).containsEntry("container-runtime", 3L);
    }

    @Test
    void linesThatAreNoEventsAreCountedAndTheNextOneIsRead() {
        docker.says("{\"Action\":");
        docker.says("<html>");
        docker.says("{\"Action\":\"die\",\"Actor\":{}}");
        docker.says(of("a7").getLast().toString().replace("\"137\"", "\"many\""));
        docker.answers(path("a7"), record("a7", 0, 137, ""));
        assertThat(code(ends.await(id("a7"), told -> true)))
                .as("the record has it")
                .isEqualTo(137);
        replay("a2", 137);
        ends.await(id("a2"), Kind.DIE);

        assertThat(guard.counts()).containsEntry("container-runtime", 4L);
        SourceStatus status = identities.status().stream()
                .filter(source -> source.getName().equals("docker-events"))
                .findFirst()
                .orElseThrow();
        assertThat(status.getState()).isEqualTo(State.DEGRADED);
        assertThat(status.getDetail()).contains("4 events");
    }

    @Test
    void aRecordThatIsNonsenseLeavesWhatTheEventSays() {
        docker.answers(path("a2"), "[\"what\"]");
        of("a2").forEach(event -> docker.says(event.toString()));
        assertThat(code(ends.await(id("a2"), Kind.DIE))).isEqualTo(137);
    }

    @Test
    void aStreamThatBreaksGoesOnWhereItWasAndNothingComesTwice() {
        docker.answers(path("a1"), record("a1", 0, 137, ""));
        List<JsonObject> events = of("a1");
        events.subList(0, 4).forEach(event -> docker.says(event.toString()));
        Await.until("its identity", () -> identities.find(id("a1")), java.util.Optional::isPresent);
        events.subList(2, events.size()).forEach(event -> docker.keeps(event.toString()));
        docker.breaksStreams();

        End end = ends.await(id("a1"), Kind.STOP);
        assertThat(ToldEnds.words(end)).isEqualTo("KILL 15, KILL 9, DIE 137, STOP");
        assertThat(docker.watched().getFirst()).doesNotContain("since=");
        assertThat(docker.watched().getLast()).contains("since=17960039");
    }

    @Test
    void anEndBeforeTheAgentStartedIsFoundInTheListAndInTheEventsOnce() {
        identities.close();
        docker.answers(path("a2"), record("a2", 0, 137, ""));
        docker.answers(path("a7"), record("a7", 0, 137, ""));
        docker.answers(
                "/containers/json",
                "[{\"Id\":\"" + id("a2") + "\",\"Names\":[\"/a2\"],\"State\":\"exited\"},{\"Id\":\"" + id("a7")
                        + "\",\"Names\":[\"/a7\"],\"State\":\"exited\"}]");
        of("a2").forEach(event -> docker.keeps(event.toString()));
        startAgent(time("a2", "create"));

        assertThat(ToldEnds.words(ends.await(id("a7"), told -> true)))
                .as("no event was kept")
                .isEmpty();
        assertThat(ToldEnds.words(ends.await(id("a2"), Kind.DIE))).isEqualTo("KILL 9, DIE 137");
        assertThat(docker.watched().getLast())
                .contains("since=" + time("a2", "create").getEpochSecond());
        assertThat(ends.of(id("a2")).stream().map(DockerEndsTest::endedAt).distinct())
                .hasSize(1);
    }

    @Test
    void anEndFromLongBeforeIsNotReported() {
        identities.close();
        docker.answers(path("a2"), record("a2", 0, 137, ""));
        docker.answers(path("a7"), record("a7", 0, 137, ""));
        docker.answers(
                "/containers/json",
                "[{\"Id\":\"" + id("a2") + "\",\"Names\":[\"/a2\"],\"State\":\"exited\"},{\"Id\":\"" + id("a7")
                        + "\",\"Names\":[\"/a7\"],\"State\":\"exited\"}]");
        startAgent(time("a7", "create"));

        ends.await(id("a7"), told -> true);
        assertThat(ends.of(id("a2"))).isEmpty();
    }

    @Test
    void aContainerWithoutALimitSaysSo() {
        docker.answers(
                path("a2"), record("a2", 0, 137, "").replace("33554432", "0").replace("67108864", "0"));
        of("a2").forEach(event -> docker.says(event.toString()));
        End end = ends.await(id("a2"), told -> told.reported().getSettings().hasMemoryLimitBytes());
        assertThat(end.reported().getSettings().getMemoryLimitBytes()).isEqualTo(UNLIMITED);
        assertThat(end.reported().getSettings().getMemorySwapLimitBytes()).isEqualTo(UNLIMITED);
    }
}
