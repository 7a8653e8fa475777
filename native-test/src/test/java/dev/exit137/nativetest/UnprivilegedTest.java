package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The agent of k8s/overlays/unprivileged, without privileges: a user without rights on its node, with no capability and
 * with a pid namespace of its own. The test checks the features that are left.
 */
@Tag("kernel")
class UnprivilegedTest {
    private static final Duration LIMIT = Duration.ofMinutes(4);
    private static final String NOBODY = "65532";

    private final Path out = Bed.freshDirectory("unprivileged");
    private ScratchCgroup cgroup;
    private Process agent;

    @AfterEach
    void cleanUp() throws Exception {
        if (agent != null) {
            Bed.end(agent);
        }
        Bed.close(cgroup);
    }

    @Test
    void aKillIsCountedWhereItWasAndNothingIsInventedAboutIt() throws Exception {
        cgroup = ScratchCgroup.make("an agent without privileges", "unprivileged");
        cgroup.limit(32L << 20);
        start();
        Bed.await(
                "the start",
                LIMIT,
                () -> Bed.lines(out.resolve("log")),
                lines -> lines.stream().anyMatch(line -> line.contains("watching this machine")));

        Bed.run(
                out,
                "eater",
                LIMIT,
                new ProcessBuilder("sh", "-c", cgroup.enter() + "head -c 128m /dev/zero | tail > /dev/null"));

        OomKillEvent event = Bed.await("the kill", LIMIT, this::events, events -> !events.isEmpty())
                .getFirst();
        assertThat(event.getCgroupPath()).endsWith("/" + cgroup.name());
        assertThat(event.getEvidenceList()).contains(Evidence.MEMORY_EVENTS).doesNotContain(Evidence.KMSG_KILLED);
        assertThat(event.getAfterKill().getMaxBytes()).isEqualTo(32L << 20);
        assertThat(event.hasVictim()).isFalse();
        assertThat(event.getIncident().hasLimit()).isFalse();
    }

    private void start() throws IOException {
        for (String tool : List.of("unshare", "setpriv")) {
            if (Bed.find(tool).isEmpty()) {
                Bed.skip("an agent without privileges", "no " + tool + " on PATH");
            }
        }
        // The state is an emptyDir.
        Path state = Files.createDirectories(out.resolve("state"));
        Files.setPosixFilePermissions(state, PosixFilePermissions.fromString("rwxrwxrwx"));
        List<String> asNobody = List.of(
                "setpriv",
                "--reuid",
                NOBODY,
                "--regid",
                NOBODY,
                "--clear-groups",
                "--no-new-privs",
                "--inh-caps=-all",
                "--bounding-set=-all");
        if (Bed.run(
                                out,
                                "look",
                                LIMIT,
                                new ProcessBuilder(
                                        with(asNobody, "test", "-x", Bed.exit137(), "-a", "-x", state.toString())))
                        .status()
                != 0) {
            Bed.skip(
                    "an agent without privileges",
                    "others may not enter the directories that " + Bed.exit137() + " is in");
        }
        List<String> command = with(
                asNobody,
                Bed.exit137(),
                "run",
                "-o",
                "json",
                "--node-name",
                "bed",
                "--listen",
                "127.0.0.1:0",
                "--data-dir",
                state.resolve("data").toString(),
                "--state-dir",
                state.resolve("agent").toString(),
                "--cgroup-root",
                "/sys/fs/cgroup");
        List<String> alone = List.of("unshare", "--pid", "--fork", "--mount-proc");
        agent = new ProcessBuilder(with(alone, command.toArray(String[]::new)))
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(out.resolve("events.jsonl").toFile())
                .redirectError(out.resolve("log").toFile())
                .start();
    }

    private static List<String> with(List<String> first, String... more) {
        return Stream.concat(first.stream(), Stream.of(more)).toList();
    }

    private List<OomKillEvent> events() {
        try {
            String text = Files.readString(out.resolve("events.jsonl"));
            Stream<String> whole = text.substring(0, text.lastIndexOf('\n') + 1).lines();
            return Events.parse(whole.toList()).received().stream()
                    .filter(event -> event.getCgroupPath().endsWith("/" + cgroup.name()))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
