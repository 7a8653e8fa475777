package dev.exit137.cli.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.exit137.cli.terminal.Failure;
import dev.exit137.cli.why.Fact;
import dev.exit137.cli.why.Subject;
import dev.exit137.cli.why.WhyAnswer;
import dev.exit137.proto.v1.ExitEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Docker Engine 20.10 after the fact: its events are a capture in which each container ends in another way. */
class LocalDockerTest {
    private static final Instant NOW = Instant.ofEpochSecond(1_796_004_000);
    private static final String A5 = "c795e0390448d636912de801c2c72f0ee778fc0f02eb03a62259536fc97e2c8d";
    private static final Programs NONE = command -> {
        throw new IOException(command[0] + " is not installed");
    };

    @TempDir
    Path directory;

    private final Map<String, String> answers = new HashMap<>();
    private Path kmsg;

    @BeforeEach
    void makeHost() throws IOException {
        answers.put("/containers/json?all=1", "[]");
        kmsg = Files.createFile(directory.resolve("kmsg"));
        Files.createDirectories(directory.resolve("sys/kernel/random"));
        Files.writeString(directory.resolve("sys/kernel/hostname"), "bed\n");
        Files.writeString(directory.resolve("sys/kernel/random/boot_id"), "boot\n");
        Files.writeString(directory.resolve("uptime"), "1000.00 100.00\n");
    }

    private LocalHistory history() throws IOException {
        String events = Files.readString(Path.of("src/test/resources/local/docker-events-20.10.jsonl"));
        DockerApi docker =
                path -> path.startsWith("/events?") ? Optional.of(events) : Optional.ofNullable(answers.get(path));
        return new LocalHistory(new Host(directory, () -> NOW), docker, NONE, kmsg);
    }

    private WhyAnswer find(String subject) throws Exception {
        return history().find(Subject.parse(subject), 3).orElseThrow();
    }

    private void inspect(String id, String state) {
        answers.put("/containers/json?all=1", "[{\"Id\":\"" + id + "\",\"Names\":[\"/c\"]}]");
        answers.put("/containers/" + id + "/json", """
                {"Id":"%s","Name":"/c","Path":"/bin/hog","RestartCount":2,"State":%s,
                 "Config":{"Image":"bb:1","StopTimeout":7,"Labels":{"com.docker.compose.service":"db","x":"y"}},
                 "HostConfig":{"Memory":33554432,"MemorySwap":67108864,"OomScoreAdj":5,
                               "RestartPolicy":{"Name":"on-failure","MaximumRetryCount":4}}}
                """.formatted(id, state));
    }

    @ParameterizedTest
    @CsvSource({
        "a1, 137, STOP_TIMEOUT",
        "a2, 137, CLIENT_KILL",
        "a3, 143, STOPPED",
        "a4, 137, CLIENT_KILL",
        "a6, 7, OWN_EXIT",
        "a7, 137, UNKNOWN",
        "a9, 137, UNKNOWN",
        "b1, 137, CLIENT_KILL",
        "b5, 137, CLIENT_KILL",
        "b8, 3, OWN_EXIT",
    })
    void theEventsOfAnEndTellItsCauseAndWhereTheyDoNotNothingIsClaimed(String name, int code, ExitEvent.Cause cause)
            throws Exception {
        ExitEvent end = find(name).exits().getFirst();
        assertThat(end.getCause()).as(end.getExplanation()).isEqualTo(cause);
        assertThat(end.getExitCode()).isEqualTo(code);
        assertThat(end.getContainer().getName()).isEqualTo(name);
        assertThat(end.getNode().getName()).isEqualTo("bed");
        assertThat(end.hasSender()).isFalse();
        assertThat(end.getEvidenceMissingList()).anyMatch(missing -> missing.startsWith("trace: no agent"));
    }

    @Test
    void aStopHasItsTimelineAndARemovedContainerSaysSo() throws Exception {
        WhyAnswer answer = find("a1");
        assertThat(answer.exits().getFirst().getStopRequest().getSignal()).isEqualTo(15);
        assertThat(answer.exits().getFirst().getStopRequest().getWaited().getSeconds())
                .isEqualTo(1);
        assertThat(answer.facts()).contains(Fact.certain("the container was removed: its settings are gone"));
    }

    @Test
    void eachLifeIsAnEndOfItsOwnNewestFirst() throws Exception {
        assertThat(find("a8").exits())
                .extracting(ExitEvent::getCause)
                .containsExactly(ExitEvent.Cause.CLIENT_KILL, ExitEvent.Cause.STOP_TIMEOUT);
        assertThat(find("docker:6e8f28").exits()).hasSize(2);
    }

    @Test
    void aKillInTheKernelsLogEndsTheContainerWhoseProgramWasTheVictim() throws Exception {
        inspect(A5, "{\"Running\":false,\"OOMKilled\":true,\"ExitCode\":137}");
        writeKill("hog");
        WhyAnswer answer = find("c");
        ExitEvent end = answer.exits().getFirst();
        assertThat(end.getCause()).isEqualTo(ExitEvent.Cause.OOM_KILL);
        assertThat(end.getOomEventIdsCount()).isEqualTo(1);
        // The report has no task table: nothing says that no other process of that name was there.
        assertThat(end.getCertainty()).isEqualTo(ExitEvent.Certainty.INFERRED);
        assertThat(answer.kills()).hasSize(1);
        assertThat(answer.facts()).anyMatch(fact -> fact.text().startsWith("Docker says OOMKilled"));
    }

    @Test
    void aKillOfAnotherProgramIsListedAndNotTakenForTheEnd() throws Exception {
        inspect(A5, "{\"Running\":false,\"OOMKilled\":true,\"ExitCode\":137}");
        writeKill("child");
        WhyAnswer answer = find("c");
        assertThat(answer.exits().getFirst().getCause()).isEqualTo(ExitEvent.Cause.UNKNOWN);
        assertThat(answer.kills()).hasSize(1);
    }

    @Test
    void ofAKillThatNobodyRecordedItSaysWhatItWasNot() throws Exception {
        // The oldest record of the ring is later than the end: it cannot have the reason.
        Files.writeString(kmsg, "6,7,990000000,-;eth0: link becomes ready\n");
        ExitEvent end = find("a7").exits().getFirst();
        assertThat(end.getExplanation())
                .contains("as after SIGKILL: nobody asked Docker for it. Who sent the signal, or that the program chose"
                        + " that code itself, is recorded nowhere after the fact.")
                .doesNotContain("OOM killer");
        assertThat(end.getRecommendationsList()).singleElement().asString().startsWith("Run exit137's agent");

        Files.writeString(kmsg, "6,7,5000000,-;eth0: link becomes ready\n");
        assertThat(find("a7").exits().getFirst().getExplanation())
                .contains("and the kernel's OOM killer was not it (its log since ");
        assertThat(find("b8").exits().getFirst().getExplanation()).endsWith("by itself with code 3.");
    }

    @Test
    void aKillInTheLogWhoseCgroupIsNotKnownMayBeTheReason() throws Exception {
        long ended = find("a7").exits().getFirst().getTime().getSeconds();
        long sinceBoot = ended - NOW.getEpochSecond() + 1000;
        Files.writeString(kmsg, """
                6,7,5000000,-;eth0: link becomes ready
                3,101,%d000000,-;Memory cgroup out of memory: Killed process 99 (hog) total-vm:210000kB, \
                anon-rss:31000kB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:100kB oom_score_adj:0
                """.formatted(sinceBoot));
        assertThat(find("a7").exits().getFirst().getExplanation()).doesNotContain("OOM killer was not it");
    }

    @Test
    void aChildThatTheKernelKilledAtThatMomentIsNamed() throws Exception {
        inspect(A5, "{\"Running\":false,\"OOMKilled\":true,\"ExitCode\":137}");
        writeKill("child");
        assertThat(find("c").exits().getFirst().getExplanation())
                .contains("The kernel's OOM killer killed child (pid 99) in it")
                .contains("Whether it did so, or who sent the signal otherwise, is recorded nowhere");
    }

    @Test
    void podsAndEventsAreAnAggregators() throws Exception {
        for (String subject : new String[] {"pod:web", "shop/web", "event:0f0f"}) {
            LocalHistory history = history();
            assertThat(history.find(Subject.parse(subject), 3)).isEmpty();
            assertThat(history.unread()).containsExactly("pods and events: only an aggregator knows them (--server)");
        }
    }

    @Test
    void aProcessThatRunsInNoContainerSaysSo() throws Exception {
        Files.createDirectories(directory.resolve("4711"));
        Files.writeString(directory.resolve("4711/comm"), "sshd\n");
        Files.writeString(directory.resolve("4711/cgroup"), "0::/\n");
        assertThat(find("pid:4711").facts())
                .containsExactly(Fact.certain("process 4711 (sshd) runs now; it is in no container and no service"));
    }

    @Test
    void theEnginesOwnDirectoryIsLookedAt() throws Exception {
        answers.put("/info", "{\"DockerRootDir\":\"" + directory + "\"}");
        assertThat(find("a1").facts())
                .anyMatch(fact -> fact.text().startsWith("the file system of ")
                        && fact.text().contains(directory + " is "));
    }

    private void writeKill(String comm) throws IOException {
        Files.writeString(kmsg, """
                6,100,922750000,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,\
                oom_memcg=/docker/%1$s,task_memcg=/docker/%1$s,task=%2$s,pid=99,uid=0
                3,101,922750100,-;Memory cgroup out of memory: Killed process 99 (%2$s) total-vm:210000kB, \
                anon-rss:31000kB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:100kB oom_score_adj:0
                """.formatted(A5, comm));
    }

    @Test
    void settingsAreShownAndAContainerThatRunsAgainSaysSince() throws Exception {
        inspect(A5, "{\"Running\":true,\"ExitCode\":0,\"StartedAt\":\"2026-11-30T11:20:00Z\"}");
        WhyAnswer answer = find("c");
        ExitEvent end = answer.exits().getFirst();
        assertThat(end.getSettings().getMemoryLimitBytes()).isEqualTo(32 << 20);
        assertThat(end.getSettings().getRestartPolicy()).isEqualTo("on-failure:4");
        assertThat(end.getSettings().getStopGrace().getSeconds()).isEqualTo(7);
        assertThat(end.getComposeLabelsMap()).containsOnlyKeys("com.docker.compose.service");
        assertThat(answer.facts()).contains(Fact.certain("it runs now, since 2026-11-30T11:20:00Z"));
    }

    @Test
    void anEndWhoseEventsAreGoneIsOfTheRecordAloneAndSaysSo() throws Exception {
        String id = "f".repeat(64);
        inspect(id, """
                {"Running":false,"ExitCode":137,"StartedAt":"2026-11-29T00:00:00Z","FinishedAt":"2026-11-29T01:00:00Z"}""");
        ExitEvent end = find("ffffffff").exits().getFirst();
        assertThat(end.getCause()).isEqualTo(ExitEvent.Cause.UNKNOWN);
        assertThat(end.getEvidenceMissingList()).anyMatch(missing -> missing.startsWith("Docker's events of this end"));
    }

    @Test
    void aContainerThatNeverStartedEndedForItsProgram() throws Exception {
        String id = "74283a";
        String whole = history().find(Subject.parse("b2"), 3).orElseThrow().name();
        assertThat(whole).isEqualTo("docker:b2");
        String full = Files.readString(Path.of("src/test/resources/local/docker-events-20.10.jsonl"))
                .replaceFirst("(?s).*?\"id\":\"(" + id + "[0-9a-f]+)\".*", "$1");
        inspect(full, """
                {"Running":false,"ExitCode":127,"Error":"no such file","StartedAt":"0001-01-01T00:00:00Z",
                 "FinishedAt":"0001-01-01T00:00:00Z"}""");
        WhyAnswer answer = find("c");
        assertThat(answer.exits().getFirst().getCause()).isEqualTo(ExitEvent.Cause.NOT_FOUND);
        assertThat(answer.facts()).contains(Fact.certain("Docker's error: no such file"));
    }

    @Test
    void severalContainersThatFitAreListed() {
        answers.put(
                "/containers/json?all=1", "[{\"Id\":\"abcd1\",\"Names\":[\"/x\"]},{\"Id\":\"abcd2\",\"Names\":[]}]");
        assertThatThrownBy(() -> find("abcd"))
                .isInstanceOf(Failure.class)
                .hasMessage("'abcd' can mean several things; ask for one of them:\n  docker:x\n  docker:abcd2");
    }

    @Test
    void anUnknownNameLeavesTheNamesThatThereAreAndWhatCouldNotBeRead() throws Exception {
        LocalHistory history = history();
        assertThat(history.find(Subject.parse("a"), 3)).isEmpty();
        assertThat(history.names()).contains("a1", "b8");
        assertThat(history.unread())
                .contains("systemd's properties of the unit: systemctl is not installed")
                .contains("the journal: journalctl is not installed");
    }

    @Test
    void dockerThatDoesNotAnswerIsSaid() throws Exception {
        LocalHistory history = new LocalHistory(
                new Host(directory, () -> NOW),
                path -> {
                    throw new IOException("Docker at /run/docker.sock: Connection refused");
                },
                NONE,
                kmsg);
        assertThat(history.find(Subject.parse("docker:a"), 3)).isEmpty();
        assertThat(history.unread()).first().asString().startsWith("Docker at /run/docker.sock: Connection refused");
    }
}
