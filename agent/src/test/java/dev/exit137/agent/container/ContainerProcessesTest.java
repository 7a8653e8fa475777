package dev.exit137.agent.container;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.Await;
import dev.exit137.agent.PidNamespace;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.Jvm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is known of a container's processes before one of them is killed, on a node without any runtime. */
class ContainerProcessesTest {
    private static final String ID = "4f0c".repeat(16);
    private static final String SCOPE = "/machine.slice/libpod-" + ID + ".scope";
    private static final long UPTIME_SECONDS = 5000;
    private static final int MAIN = 34567;

    @TempDir
    private Path directory;

    private final Guard guard = new Guard();
    private Path procRoot;
    private Path cgroup;
    private ContainerProcesses processes;

    @BeforeEach
    void makeTheNode() throws IOException {
        procRoot = directory.resolve("proc");
        cgroup = directory.resolve("cgroup" + SCOPE);
        write(procRoot.resolve("uptime"), UPTIME_SECONDS + ".00 9000.00\n");
        PidNamespace.MACHINE.of(procRoot);
        write(cgroup.resolve("cgroup.procs"), "");
        write(cgroup.resolve("memory.max"), "536870912\n");
        processes = new ContainerProcesses(procRoot, 16L << 30, InstantSource.system(), guard);
    }

    @AfterEach
    void end() {
        processes.close();
    }

    @Test
    void firstProcessOfAPidNamespaceEndsItsContainerAndAnotherDoesNot() throws Exception {
        process(cgroup, MAIN, 1000, "sh", MAIN, 1);
        process(cgroup, MAIN + 1, 2000, "tail", MAIN + 1, 7);
        processes.look(ID, cgroup);

        assertThat(isInit(MAIN)).hasValue(true);
        assertThat(isInit(MAIN + 1)).hasValue(false);
    }

    @Test
    void lookThatFailsUnexpectedlyIsCountedAndFollowedByTheNext() throws Exception {
        process(cgroup, MAIN, 1000, "sh", MAIN, 1);
        write(cgroup.resolve("cgroup.procs"), "no pid\n");
        processes.onContainerCgroup(ID, cgroup);
        Await.until("the failure", guard::counts, counts -> counts.containsKey("processes"));
        write(cgroup.resolve("cgroup.procs"), MAIN + "\n");
        Await.until("the first process", () -> isInit(MAIN), Optional::isPresent);
    }

    @Test
    void firstProcessIsFoundInACgroupWithinTheContainersAndOnANodeThatIsAContainerItself() throws Exception {
        process(cgroup.resolve("init.scope"), MAIN, 1000, "systemd", MAIN, 700, 1);
        process(cgroup.resolve("system.slice/cron.service"), MAIN + 1, 1100, "cron", MAIN + 1, 710, 12);
        write(cgroup.resolve("system.slice/cgroup.procs"), "");
        processes.look(ID, cgroup);

        assertThat(isInit(MAIN)).hasValue(true);
    }

    @Test
    void containerInThePidNamespaceOfTheHostHasNoFirstProcessAndItsSandboxedChildIsNotIt() throws Exception {
        process(cgroup, MAIN, 1000, "browser", MAIN);
        process(cgroup, MAIN + 1, 1100, "renderer", MAIN + 1, 1);
        processes.look(ID, cgroup);

        assertThat(isInit(MAIN)).isEmpty();
        assertThat(isInit(MAIN + 1)).isEmpty();
    }

    @Test
    void containerInThePidNamespaceOfItsPodHasNoFirstProcess() throws Exception {
        process(cgroup, MAIN, 1000, "app", MAIN, 7);
        process(cgroup, MAIN + 1, 1100, "sandboxed", MAIN + 1, 9, 1);
        processes.look(ID, cgroup);

        assertThat(isInit(MAIN)).isEmpty();
        assertThat(isInit(MAIN + 1)).isEmpty();
    }

    @Test
    void containerWithinTheContainerHasAFirstProcessOfItsOwn() throws Exception {
        process(cgroup, MAIN, 1000, "dockerd", MAIN, 1);
        process(cgroup.resolve("docker/" + "beef".repeat(16)), MAIN + 1, 1100, "app", MAIN + 1, 50, 1);
        write(cgroup.resolve("docker/cgroup.procs"), "");
        processes.look(ID, cgroup);

        assertThat(isInit(MAIN)).hasValue(true);
        assertThat(isInit(MAIN + 1)).hasValue(false);
    }

    @Test
    void onANodeWhosePidsAreNotTheKernelsNothingIsClaimed() throws Exception {
        PidNamespace.NODE_IN_A_CONTAINER.of(procRoot);
        process(cgroup, MAIN, 1000, "java", MAIN, 1);
        processes.look(ID, cgroup);

        assertThat(isInit(MAIN)).isEmpty();
        assertThat(isInit(4)).isEmpty();
        assertThat(jvm()).isEmpty();
    }

    @Test
    void pidOfAnOlderKillIsAnotherProcess() throws Exception {
        process(cgroup, MAIN, 4000, "sh", MAIN, 1);
        processes.look(ID, cgroup);

        Instant beforeItStarted = Instant.now().minusSeconds(UPTIME_SECONDS - 3000);
        assertThat(processes.isInit(ID, MAIN, beforeItStarted)).isEmpty();
        assertThat(processes.isInit(ID, MAIN + 1, beforeItStarted)).isEmpty();
        assertThat(isInit(MAIN)).hasValue(true);
    }

    @Test
    void onceTheFirstProcessIsGoneAnotherMayHaveBeenTheNextLifesFirst() throws Exception {
        process(cgroup, MAIN, 1000, "sh", MAIN, 1);
        processes.look(ID, cgroup);
        Instant killedAt = Instant.now();

        write(procRoot.resolve(MAIN + "/cgroup"), "0::/system.slice/cron.service\n");
        assertThat(processes.isInit(ID, MAIN + 1, killedAt))
                .as("its pid is used again")
                .isEmpty();
        write(procRoot.resolve(MAIN + "/cgroup"), "0::" + SCOPE + "\n");
        write(procRoot.resolve(MAIN + "/stat"), stat("sh", UPTIME_SECONDS + 100));
        assertThat(processes.isInit(ID, MAIN + 1, killedAt))
                .as("in the same container")
                .isEmpty();
    }

    @Test
    void containerThatStartsAnewIsReadAnew() throws Exception {
        process(cgroup, MAIN, 1000, "sh", MAIN, 1);
        processes.look(ID, cgroup);
        assertThat(isInit(MAIN)).hasValue(true);

        processes.onContainerCgroup(ID, directory.resolve("gone"));
        assertThat(isInit(MAIN)).isEmpty();
    }

    @Test
    void jvmAfterAShellScriptIsFoundLater() throws Exception {
        process(cgroup, MAIN, 1000, "sh", MAIN, 1);
        commandLine(MAIN, "/bin/sh", "/run.sh");
        processes.onContainerCgroup(ID, cgroup);
        Await.until("its first process", () -> isInit(MAIN), Optional::isPresent);
        assertThat(jvm()).isEmpty();

        commandLine(MAIN, "/opt/java/bin/java", "-Dpassword=s3cr3t", "-XX:MaxRAMPercentage=75.0", "-jar", "app.jar");
        write(procRoot.resolve(MAIN + "/environ"), "TOKEN=s3cr3t\0");
        Optional<Jvm> jvm = Await.until("its flags", this::jvm, Optional::isPresent);
        assertThat(jvm)
                .hasValue(Jvm.newBuilder()
                        .setPid(MAIN)
                        .addMemoryFlags("-XX:MaxRAMPercentage=75.0")
                        .setMaxHeapBytes(384L << 20)
                        .build());
    }

    @Test
    void onlyJvmBelowAnInitIsTheContainersAndOneOfTwoIsNot() throws Exception {
        process(cgroup, MAIN, 1000, "tini", MAIN, 1);
        commandLine(MAIN, "tini", "--", "java", "-Xmx1m");
        process(cgroup, MAIN + 1, 1000, "java", MAIN + 1, 7);
        commandLine(MAIN + 1, "java", "-Xmx480m", "Main");
        processes.look(ID, cgroup);
        assertThat(jvm().orElseThrow().getPid()).isEqualTo(MAIN + 1);
        assertThat(jvm().orElseThrow().hasMaxHeapBytes())
                .as("its environment cannot be read")
                .isFalse();

        ContainerProcesses fresh = new ContainerProcesses(procRoot, null, InstantSource.system(), guard);
        process(cgroup, MAIN + 2, 1000, "java", MAIN + 2, 8);
        commandLine(MAIN + 2, "java", "-Xmx100m", "Main");
        fresh.look(ID, cgroup);
        assertThat(fresh.jvm(ID, Instant.now())).isEmpty();
        fresh.close();
    }

    @Test
    void jvmThatStartedAfterAnOlderKillIsNotItsJvm() throws Exception {
        process(cgroup, MAIN, 4000, "java", MAIN, 1);
        commandLine(MAIN, "java", "-Xmx480m", "Main");
        processes.look(ID, cgroup);

        assertThat(jvm()).isPresent();
        assertThat(processes.jvm(ID, Instant.now().minusSeconds(UPTIME_SECONDS - 3000)))
                .isEmpty();
    }

    private Optional<Jvm> jvm() {
        return processes.jvm(ID, Instant.now());
    }

    private Optional<Boolean> isInit(int pid) {
        return processes.isInit(ID, pid, Instant.now());
    }

    /** @param namespacePids its pid in each namespace, from the node's to its own */
    private void process(Path in, int pid, long startedAfterBootSeconds, String comm, int... namespacePids)
            throws IOException {
        Path procs = in.resolve("cgroup.procs");
        write(procs, (Files.exists(procs) ? Files.readString(procs) : "") + pid + "\n");
        Path files = procRoot.resolve(Integer.toString(pid));
        StringBuilder status = new StringBuilder("Name:\t" + comm + "\nNStgid:\t1\nNSpid:");
        for (int each : namespacePids) {
            status.append('\t').append(each);
        }
        write(files.resolve("status"), status + "\nNSpgid:\t1\n");
        write(files.resolve("stat"), stat(comm, startedAfterBootSeconds));
        write(files.resolve("cgroup"), "0::" + SCOPE + "\n");
    }

    /** As proc_pid_stat(5): the 22nd is when it started, in hundredths of a second. */
    private static String stat(String comm, long startedAfterBootSeconds) {
        return "34567 (" + comm + ") S) S 1 2 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 " + startedAfterBootSeconds * 100
                + " 10000 200\n";
    }

    private void commandLine(int pid, String... arguments) throws IOException {
        write(procRoot.resolve(pid + "/cmdline"), String.join("\0", arguments) + "\0");
    }

    private static void write(Path file, String text) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }
}
