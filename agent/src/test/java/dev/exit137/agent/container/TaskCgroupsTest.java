package dev.exit137.agent.container;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.exit137.agent.PidNamespace;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.Task;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** In which container the largest task was: the right one, or none. The kill was 2 s ago, 1,000 s after the boot. */
class TaskCgroupsTest {
    private static final Instant KILLED = Instant.parse("2026-01-01T00:00:00Z");
    private static final String POD = "/kubepods/burstable/pod84c5437e-9503-4b52-8470-984c54f7e9f3";
    private static final String CACHE = "024952d653ef1cd852f875a61bd27cf45cb1fd6cab3659ca7e5f12f037d99aa9";

    @TempDir
    Path proc;

    private TaskCgroups cgroups;

    @BeforeEach
    void makeProcfs() throws IOException {
        PidNamespace.MACHINE.of(proc);
        write("uptime", "1002.00 1900.00\n");
        cgroups = new TaskCgroups(proc, () -> KILLED.plusSeconds(2));
    }

    private void write(String file, String text) throws IOException {
        Files.createDirectories(proc.resolve(file).getParent());
        Files.writeString(proc.resolve(file), text);
    }

    /** @param startedTicks hundredths of a second after the boot */
    private void process(int pid, String comm, long startedTicks, String cgroups) throws IOException {
        write(pid + "/comm", comm + "\n");
        write(pid + "/cgroup", cgroups);
        write(
                pid + "/stat",
                pid + " (" + comm + ") S 1 5 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 " + startedTicks
                        + " 4096 1 18446744073709551615\n");
    }

    private static OomKillEvent.Builder killAt(String limit, Task... tasks) {
        OomKillEvent.Builder event =
                OomKillEvent.newBuilder().setScope(Scope.MEMCG).setCgroupPath(POD + "/victim");
        event.setTime(Timestamp.newBuilder().setSeconds(KILLED.getEpochSecond()));
        event.getVictimBuilder().setPid(4);
        event.getIncidentBuilder()
                .setId("i")
                .addAllTasks(List.of(tasks))
                .getLimitBuilder()
                .setCgroup(limit);
        return event;
    }

    private static Task task(int pid, String comm) {
        return Task.newBuilder().setPid(pid).setComm(comm).setRssBytes(1 << 20).build();
    }

    private String pathOfFive(String limit) {
        return cgroups.find(killAt(limit, task(5, "redis"))).getFirst().getCgroupPath();
    }

    @Test
    void theTaskThatHeldMostIsFoundInTheOtherContainerOfThePod() throws IOException {
        process(5, "redis", 99_000, "0::" + POD + "/" + CACHE + "\n");
        List<Task> tasks = cgroups.find(killAt(POD, task(5, "redis"), task(4, "web")));
        assertThat(tasks.get(0).getCgroupPath()).isEqualTo(POD + "/" + CACHE);
        assertThat(tasks.get(0).getContainer().getId()).isEqualTo(CACHE);
        assertThat(tasks.get(0).getContainer().getPod().getUid()).isEqualTo("84c5437e-9503-4b52-8470-984c54f7e9f3");
        assertThat(tasks.get(1).getCgroupPath()).as("the victim's").isEqualTo(POD + "/victim");
    }

    @Test
    void onV1TheMemoryControllersPathIsTaken() throws IOException {
        process(5, "redis", 99_000, "9:name=systemd:/x\n4:cpu,memory:" + POD + "/" + CACHE + "\n0::/other\n");
        assertThat(pathOfFive(POD)).isEqualTo(POD + "/" + CACHE);
    }

    @Test
    void aProcessThatWasStartedAfterTheKillUnderThePidIsAnother() throws IOException {
        process(5, "redis", 100_100, "0::" + POD + "/" + CACHE + "\n");
        assertThat(pathOfFive(POD)).isEmpty();
    }

    @Test
    void aProcessOfAnotherNameIsAnother() throws IOException {
        process(5, "redis2", 99_000, "0::" + POD + "/" + CACHE + "\n");
        assertThat(pathOfFive(POD)).isEmpty();
    }

    @Test
    void aProcessThatIsNotBelowTheLimitIsNotTheTaskOfItsTable() throws IOException {
        process(5, "redis", 99_000, "0::" + POD + "x/" + CACHE + "\n");
        assertThat(pathOfFive(POD)).isEmpty();
        assertThat(pathOfFive("")).as("whose limit is not known").isEmpty();
    }

    @Test
    void aPathAboveTheAgentsOwnCgroupNamespaceIsNone() throws IOException {
        process(5, "redis", 99_000, "0::/../" + CACHE + "\n");
        assertThat(pathOfFive("/")).isEmpty();
    }

    @Test
    void onANodeThatIsAContainerPidsAreNotTheKernels() throws IOException {
        process(5, "redis", 99_000, "0::" + POD + "/" + CACHE + "\n");
        PidNamespace.NODE_IN_A_CONTAINER.of(proc);
        assertThat(pathOfFive(POD)).isEmpty();
    }

    @Test
    void aLaterRevisionKeepsWhatWasFoundThoughTheProcessHasEnded() throws IOException {
        process(5, "redis", 99_000, "0::" + POD + "/" + CACHE + "\n");
        pathOfFive(POD);
        Files.delete(proc.resolve("5/stat"));
        assertThat(pathOfFive(POD)).isEqualTo(POD + "/" + CACHE);
    }

    @Test
    void filesThatNoKernelWritesAreNoAnswer() throws IOException {
        process(5, "redis", 99_000, "0::" + POD + "/" + CACHE + "\n");
        for (String stat : List.of("", "5 (redis", "5 (redis) S", "5 (redis) " + "x ".repeat(30))) {
            write("5/stat", stat);
            assertThat(pathOfFive(POD)).isEmpty();
        }
        process(5, "redis", 99_000, "::\n\n0:");
        assertThat(pathOfFive(POD)).isEmpty();
    }
}
