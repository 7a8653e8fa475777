package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.util.JsonFormat;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A real Java virtual machine as the first process of a container's cgroup and pid namespace, made by hand: no runtime
 * knows it. The product learns the facts about it from procfs, before its death.
 */
@Tag("kernel")
class JvmTest {
    private static final Path MEMORY = Stream.of(Path.of("/sys/fs/cgroup/memory"), Path.of("/sys/fs/cgroup"))
            .filter(root -> Files.exists(root.resolve("cgroup.procs")))
            .findFirst()
            .orElse(Path.of("/sys/fs/cgroup"));
    private static final String PARENT =
            "/exit137-jvm-" + ProcessHandle.current().pid();
    private static final String ID = "4f0c".repeat(16);
    private static final String CGROUP = PARENT + "/docker/" + ID;
    private static final int LIMIT_BYTES = 128 << 20;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    private Path out;
    private Path cgroup;
    private LiveAgent agent;
    private Process container;

    @BeforeEach
    void makeTheContainer() throws IOException {
        skipWhereNothingCanBeKilled();
        out = Bed.freshDirectory("jvm");
        agent = LiveAgent.start(out.resolve("agent"), out.resolve("no.sock"));
        cgroup = Path.of(MEMORY + CGROUP);
        Files.createDirectories(cgroup);
        boolean isV2 = Files.exists(MEMORY.resolve("cgroup.controllers"));
        if (isV2) {
            for (Path above : List.of(MEMORY, Path.of(MEMORY + PARENT), cgroup.getParent())) {
                Files.writeString(above.resolve("cgroup.subtree_control"), "+memory");
            }
        }
        Files.writeString(cgroup.resolve(isV2 ? "memory.max" : "memory.limit_in_bytes"), Integer.toString(LIMIT_BYTES));
        container = start("echo 0 > " + cgroup + "/cgroup.procs; exec " + System.getProperty("java.home") + "/bin/java"
                + " -Xint -XX:+UseSerialGC -Xmx400m -Dpassword=s3cr3t -cp " + Bed.MODULE + "/target/test-classes "
                + HeapEater.class.getName() + " s3cr3t");
    }

    private static void skipWhereNothingCanBeKilled() {
        String bed = "a JVM in a container made by hand";
        if (!System.getProperty("user.name").equals("root") || !Files.isWritable(MEMORY.resolve("cgroup.procs"))) {
            Bed.skip(bed, "no writable cgroup hierarchy at " + MEMORY + " for this user");
        }
        if (!Files.isReadable(Path.of("/dev/kmsg"))) {
            Bed.skip(bed, "/dev/kmsg is not readable");
        }
        Path controllers = MEMORY.resolve("cgroup.subtree_control");
        if (Files.exists(controllers)
                && !String.join(" ", Bed.lines(controllers)).contains("memory")) {
            Bed.skip(bed, "the memory controller is not in " + controllers);
        }
        if (Bed.find("unshare").isEmpty()) {
            Bed.skip(bed, "no unshare on PATH; on Debian: apt-get install util-linux");
        }
    }

    /** Runs a shell that is the first process of a pid namespace of its own. */
    private Process start(String script) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(
                        "timeout", "-k", "5", "300", "unshare", "--pid", "--fork", "--kill-child", "sh", "-c", script)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(
                        out.resolve("container.log").toFile()))
                .redirectErrorStream(true);
        builder.environment().put("JAVA_TOOL_OPTIONS", "-Dtoken=s3cr3t -Xms8m");
        return builder.start();
    }

    @AfterEach
    void end() throws Exception {
        if (container != null) {
            Bed.end(container);
        }
        Bed.close(agent);
        for (String path : List.of(CGROUP, PARENT + "/docker", PARENT)) {
            Path directory = Path.of(MEMORY + path);
            if (Files.exists(directory)) {
                Bed.await(
                        path + " without processes",
                        LIMIT,
                        () -> Bed.lines(directory.resolve("cgroup.procs")),
                        List::isEmpty);
                Files.delete(directory);
            }
        }
    }

    @Test
    void heapThatOutgrowsTheLimitIsToldAndThatTheContainerEnded() throws Exception {
        int main = Bed.await(
                        "the JVM",
                        LIMIT,
                        () -> Bed.lines(cgroup.resolve("cgroup.procs")),
                        pids -> pids.size() == 1
                                && Bed.lines(Path.of("/proc/" + pids.getFirst() + "/comm"))
                                        .equals(List.of("java")))
                .stream()
                .map(Integer::valueOf)
                .findFirst()
                .orElseThrow();
        OomKillEvent child = killChildrenUntilAllIsKnown(main);
        assertThat(child.getVictim().getPid()).isNotEqualTo(main);
        assertThat(child.getVictim().getIsContainerInit()).isFalse();
        assertThat(child.getExplanation()).doesNotContain("-Xmx").contains("It was not the container's main process");

        try (OutputStream in = container.getOutputStream()) {
            in.write('\n');
        }
        OomKillEvent event = agent
                .await("the JVM's death", CGROUP, e -> e.getVictim().getPid() == main)
                .stream()
                .filter(e -> e.getVictim().getPid() == main)
                .findFirst()
                .orElseThrow();
        assertThat(event.getContainer().getId()).isEqualTo(ID);
        assertThat(event.getIncident().getLimit().getOwner()).isEqualTo(Limit.Owner.CONTAINER);
        assertThat(event.getContainer().getJvm().getPid()).isEqualTo(main);
        assertThat(event.getContainer().getJvm().getMemoryFlagsList()).containsExactly("-Xms8m", "-Xmx400m");
        assertThat(event.getContainer().getJvm().getMaxHeapBytes()).isEqualTo(400L << 20);
        assertThat(event.getVictim().getIsContainerInit()).isTrue();
        assertThat(event.getExplanation())
                .contains(" -Xmx400m lets the Java heap alone grow to the limit of 128.0 MiB.")
                .contains(" It was the container's main process, so the container ended.");
        assertThat(JsonFormat.printer().print(event)).doesNotContain("s3cr3t");
    }

    /** The agent looks at a container a few times in its first minute: only a kill shows the result. */
    private OomKillEvent killChildrenUntilAllIsKnown(int main) {
        return Bed.await(
                "the JVM and the first process in an event",
                LIMIT,
                () -> {
                    int before = children().size();
                    // Like an exec into the container: in its pid namespace, too.
                    Bed.run(
                            out,
                            "child",
                            LIMIT,
                            new ProcessBuilder(
                                    "nsenter",
                                    "--target",
                                    Integer.toString(main),
                                    "--pid",
                                    "sh",
                                    "-c",
                                    "echo 1000 > /proc/self/oom_score_adj; echo 0 > " + cgroup
                                            + "/cgroup.procs; exec tail /dev/zero"));
                    return Bed.await("a child's death", LIMIT, this::children, all -> all.size() > before)
                            .getLast();
                },
                event -> event.getContainer().hasJvm() && event.getVictim().hasIsContainerInit());
    }

    private List<OomKillEvent> children() {
        return agent.received().stream()
                .filter(event -> event.getCgroupPath().equals(CGROUP)
                        && event.getVictim().getComm().equals("tail"))
                .toList();
    }
}
