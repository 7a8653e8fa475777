package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.OomKillEvent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Agent and aggregator on two hosts: network namespaces of this machine, with a virtual cable between them. */
@Tag("kernel")
class NetworkTest {
    private static final String BED = "two hosts and a network";
    private static final Duration LIMIT = Duration.ofMinutes(3);
    private static final String NODE_ADDRESS = "10.213.137.1";
    private static final String AGGREGATOR_ADDRESS = "10.213.137.2";
    private static final long MEMORY_BYTES = 16L << 20;

    private final Path out = Bed.freshDirectory("network");
    private final String suffix = Long.toString(ProcessHandle.current().pid());
    private final String host = "exit137-" + suffix;
    private final String cable = "e137-" + suffix;
    private final List<Process> processes = new ArrayList<>();
    private ScratchCgroup cgroup;

    @BeforeEach
    void connectTheHosts() {
        if (Bed.find("ip").isEmpty()) {
            Bed.skip(BED, "no ip on PATH; on Debian: apt-get install iproute2");
        }
        cgroup = ScratchCgroup.make(BED, "network");
        cgroup.limit(MEMORY_BYTES);
        Bed.Finished added = run("ip", "netns", "add", host);
        if (added.status() != 0) {
            Bed.skip(BED, "no network namespace can be made: " + added.errText());
        }
        must("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", host);
        must("ip", "address", "add", NODE_ADDRESS + "/30", "dev", cable);
        must("ip", "netns", "exec", host, "ip", "address", "add", AGGREGATOR_ADDRESS + "/30", "dev", "eth0");
        must("ip", "netns", "exec", host, "ip", "link", "set", "lo", "up");
        must("ip", "netns", "exec", host, "ip", "link", "set", "eth0", "up");
        must("ip", "link", "set", cable, "up");
    }

    @AfterEach
    void cleanUp() throws Exception {
        for (Process process : processes.reversed()) {
            Bed.end(process);
        }
        run("ip", "link", "delete", cable);
        run("ip", "netns", "delete", host);
        Bed.close(cgroup);
    }

    @Test
    void killsWhileTheCableIsOutAndWhileTheLineIsSlowComeOnceWhenTheyCan() throws Exception {
        String server = AGGREGATOR_ADDRESS + ":9137";
        start(
                "aggregator",
                "ip",
                "netns",
                "exec",
                host,
                Bed.exit137(),
                "aggregator",
                "--listen",
                server,
                "--plaintext",
                "--data-dir",
                out.resolve("data").toString());
        await("aggregator", "listens on");
        start(
                "watch",
                "ip",
                "netns",
                "exec",
                host,
                Bed.exit137(),
                "watch",
                "-o",
                "json",
                "--from",
                "1970-01-01T00:00:00Z",
                "--plaintext",
                "--server",
                server);
        start(
                "agent",
                Bed.exit137(),
                "agent",
                "--aggregator",
                server,
                "--plaintext",
                "--node-name",
                "far",
                "--state-dir",
                out.resolve("state").toString());
        await("agent", "agent watches");
        List<Long> killed = new ArrayList<>(List.of(kill()));
        awaitEvents(killed);

        must("ip", "link", "set", cable, "down");
        killed.add(kill());
        killed.add(kill());
        await("agent", "no aggregator at");
        killed.add(kill());
        assertThat(pids()).as("nothing comes through a cable that is out").isEqualTo(killed.subList(0, 1));
        must("ip", "link", "set", cable, "up");
        awaitEvents(killed);

        if (Bed.find("tc").isPresent()) {
            must(
                    "tc", "qdisc", "add", "dev", cable, "root", "tbf", "rate", "64kbit", "burst", "4kb", "latency",
                    "400ms");
        }
        killed.add(kill());
        killed.add(kill());
        awaitEvents(killed);
    }

    /** @return the pid of a process that the kernel has killed */
    private long kill() throws IOException, InterruptedException {
        Process eater = new ProcessBuilder("sh", "-c", cgroup.enter() + "exec tail /dev/zero").start();
        assertThat(eater.waitFor()).as("killed by the kernel").isEqualTo(137);
        return eater.pid();
    }

    private void awaitEvents(List<Long> killed) {
        Bed.await("an event for each of " + killed, LIMIT, this::pids, told -> told.containsAll(killed));
        assertThat(pids()).as("each once").containsExactlyInAnyOrderElementsOf(killed);
    }

    /** Returns the victims of this bed, one per event. */
    private List<Long> pids() {
        return new Events(received())
                .latest().stream()
                        .filter(event -> event.getCgroupPath().endsWith("/" + cgroup.name()))
                        .map(event -> (long) event.getVictim().getPid())
                        .toList();
    }

    private List<OomKillEvent> received() {
        try {
            String text = Files.readString(out.resolve("watch.out"));
            return Events.parse(text.substring(0, text.lastIndexOf('\n') + 1)
                            .lines()
                            .toList())
                    .received();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void await(String program, String words) {
        Bed.await(
                "'" + words + "' of the " + program,
                LIMIT,
                () -> Bed.lines(out.resolve(program + ".err")),
                lines -> lines.stream().anyMatch(line -> line.contains(words)));
    }

    private void start(String name, String... command) throws IOException {
        processes.add(new ProcessBuilder(command)
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(out.resolve(name + ".out").toFile())
                .redirectError(out.resolve(name + ".err").toFile())
                .start());
    }

    private void must(String... command) {
        Bed.Finished finished = run(command);
        if (finished.status() != 0) {
            throw new AssertionError(String.join(" ", command) + ": " + finished.errText());
        }
    }

    private Bed.Finished run(String... command) {
        return Bed.run(out, command[0], LIMIT, new ProcessBuilder(command));
    }
}
