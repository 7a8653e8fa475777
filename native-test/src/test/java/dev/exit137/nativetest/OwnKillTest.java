package dev.exit137.nativetest;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.OomKillEvent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The kernel kills the agent itself, on this machine: its next start reports that kill like any other. */
@Tag("kernel")
class OwnKillTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final long ROOM_BYTES = 64L << 20;
    private static final String EATEN = "128m";

    private final Path out = Bed.freshDirectory("own-kill");
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
    void theAgentsOwnKillIsToldOnceByTheNextOne() throws Exception {
        cgroup = ScratchCgroup.make("an agent that is killed itself", "own-kill");
        agent = start("first", cgroup.enter() + "echo 1000 > /proc/self/oom_score_adj; ");
        awaitReady("first");
        cgroup.limit(cgroup.usageBytes() + ROOM_BYTES);
        // The eater has the default oom_score_adj, and the agent 1000: the kernel kills the agent.
        Bed.run(
                out,
                "eater",
                LIMIT,
                new ProcessBuilder("sh", "-c", cgroup.enter() + "head -c " + EATEN + " /dev/zero | tail > /dev/null"));
        assertThat(agent.waitFor()).as("killed by the kernel").isEqualTo(137);
        long pid = agent.pid();

        agent = start("second", "");
        awaitReady("second");
        List<OomKillEvent> own =
                Bed.await("its own kill", LIMIT, () -> eventsOf("second", pid), events -> !events.isEmpty());
        assertThat(own.getFirst().getVictim().getComm()).isEqualTo("java");
        assertThat(own.getFirst().getRecovered()).isTrue();
        assertThat(own.getFirst().getCgroupPath()).endsWith(cgroup.name());
        agent.destroy();
        agent.waitFor();

        assertThat(eventsOf("second", pid).stream()
                        .map(OomKillEvent::getEventId)
                        .distinct())
                .hasSize(1);
        agent = start("third", "");
        awaitReady("third");
        agent.destroy();
        agent.waitFor();
        assertThat(eventsOf("third", pid)).isEmpty();
    }

    private Process start(String name, String before) throws IOException {
        return new ProcessBuilder(
                        "sh",
                        "-c",
                        before + "exec " + Bed.exit137() + " run -o json --node-name bed --listen 127.0.0.1:0"
                                + " --data-dir " + out.resolve("data") + " --state-dir " + out.resolve("state"))
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(out.resolve(name + ".jsonl").toFile())
                .redirectError(out.resolve(name + ".log").toFile())
                .start();
    }

    private void awaitReady(String name) {
        Bed.await(
                "the " + name + " start",
                LIMIT,
                () -> Bed.lines(out.resolve(name + ".log")),
                lines -> lines.stream().anyMatch(line -> line.contains("watching this machine")));
    }

    private List<OomKillEvent> eventsOf(String name, long pid) {
        try {
            String text = Files.readString(out.resolve(name + ".jsonl"), UTF_8);
            Stream<String> whole = text.substring(0, text.lastIndexOf('\n') + 1).lines();
            return Events.parse(whole.toList()).received().stream()
                    .filter(event -> event.getVictim().getPid() == pid)
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
