package dev.exit137.bench;

import dev.exit137.proto.v1.OomEventsGrpc;
import dev.exit137.proto.v1.SummarizeEventsRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * Measures the agent's cost on a node. The installation is that of the image, in its own memory cgroup, with 1,000
 * watched cgroups and an aggregator. Measured are its memory while a process is killed every second, its processor time
 * while nothing happens, and the time from its start to the log line that it watches. Needs root.
 */
final class FootprintBench {
    private static final int CGROUPS = 1000;
    private static final int STARTS = 5;
    private static final int KILLS = 90;
    private static final long CGROUP_LIMIT_BYTES = 64 << 20;
    private static final long VICTIM_LIMIT_BYTES = 4 << 20;
    private static final long QUIET_MILLIS = 20_000;
    private static final long IDLE_MILLIS = 60_000;
    private static final double MIB = 1 << 20;

    private final Path root;
    private final Path work;
    private final Path installation;
    private final boolean v1 = Files.isDirectory(Path.of("/sys/fs/cgroup/memory"));
    private final Path memory = Path.of(v1 ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup");
    private final Path parent = memory.resolve("exit137-bench");
    private final Path own = memory.resolve("exit137-bench-agent");
    private final Path log;

    FootprintBench(Path root, Path work) {
        this.root = root;
        this.work = work;
        installation = work.resolve("installation");
        log = work.resolve("footprint.log");
    }

    List<Figure> run() throws IOException, InterruptedException {
        List<Path> cgroups = new ArrayList<>();
        try {
            makeCgroups(cgroups);
        } catch (IOException e) {
            removeAll(cgroups);
            return List.of(Figure.plain("agent: footprint: not measured, needs root and memory cgroups", ""));
        }
        install();
        try (AggregatorProcess aggregator = AggregatorProcess.start(root, work)) {
            double[] startMillis = new double[STARTS];
            for (int i = 0; i < STARTS; i++) {
                long begin = System.nanoTime();
                Process agent = start(aggregator);
                startMillis[i] = (System.nanoTime() - begin) / 1e6;
                AgentProcess.stop(agent);
            }
            Arrays.sort(startMillis);
            dropFromPageCache();
            Process agent = start(aggregator);
            try {
                return measure(agent, aggregator, cgroups, startMillis[STARTS / 2]);
            } finally {
                AgentProcess.stop(agent);
            }
        } finally {
            removeAll(cgroups);
        }
    }

    private List<Figure> measure(Process agent, AggregatorProcess aggregator, List<Path> cgroups, double startMillis)
            throws IOException, InterruptedException {
        Thread.sleep(1000);
        double started = AgentProcess.anonBytes(agent);
        long toldBefore = killsStored(aggregator);
        double anon = 0;
        double workingSet = 0;
        for (int i = 0; i < KILLS; i++) {
            kill(cgroups.get(i));
            Thread.sleep(1000);
            if (i >= KILLS / 2) {
                anon = Math.max(anon, AgentProcess.anonBytes(agent));
                workingSet = Math.max(workingSet, workingSetBytes());
            }
        }
        Thread.sleep(QUIET_MILLIS);
        long before = cpuNanos(agent);
        long begin = System.nanoTime();
        Thread.sleep(IDLE_MILLIS);
        double idlePercent = 100.0 * (cpuNanos(agent) - before) / (System.nanoTime() - begin);
        long told = killsStored(aggregator) - toldBefore;
        return List.of(
                Figure.atMost(
                        "agent, " + CGROUPS + " cgroups: from its start to watching",
                        Math.rint(startMillis),
                        400,
                        " ms"),
                Figure.plain("  anonymous memory right after", String.format("%.1f MiB", started / MIB)),
                Figure.atMost("  anonymous memory at a kill a second", anon / MIB, 32, " MiB"),
                Figure.atMost("  working set then (memory.current less inactive file)", workingSet / MIB, 64, " MiB"),
                Figure.atMost("  of a processor, while nothing happens", idlePercent, 0.1, " %"),
                Figure.plain("  kills made, and told", KILLS + ", " + told));
    }

    // ---- the measurements

    private static long killsStored(AggregatorProcess aggregator) {
        return OomEventsGrpc.newBlockingStub(aggregator.connect())
                .summarizeEvents(SummarizeEventsRequest.getDefaultInstance())
                .getTotal()
                .getCounts()
                .getKills();
    }

    /** Installs as the image does: jars, a Java runtime, unpacked natives, caches, the agent's flags. */
    private void install() throws IOException, InterruptedException {
        Files.createDirectories(installation);
        run("cp", "-a", root.resolve("cli/target/dist/lib").toString(), installation.toString());
        run(root.resolve("bin/make-runtime").toString(), installation.toString());
    }

    /** Without this, pages that another process has read would not be charged to the agent. */
    private void dropFromPageCache() throws IOException, InterruptedException {
        try (Stream<Path> files = Files.walk(installation)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                run("dd", "of=" + file, "oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none");
            }
        }
    }

    /** Starts the agent, and returns after it logs that it watches. */
    private Process start(AggregatorProcess aggregator) throws IOException, InterruptedException {
        Files.deleteIfExists(log);
        ProcessBuilder builder = new ProcessBuilder(
                "sh",
                "-c",
                "echo $$ >" + own.resolve("cgroup.procs") + " && exec \"$@\"",
                "sh",
                root.resolve("bin/exit137").toString(),
                "agent",
                "--aggregator",
                aggregator.address(),
                "--node-name",
                "bench",
                "--state-dir",
                work.resolve("footprint-state").toString());
        builder.environment().put("EXIT137_HOME", installation.toString());
        Process agent =
                builder.redirectOutput(log.toFile()).redirectErrorStream(true).start();
        return AgentProcess.awaitWatching(agent, log);
    }

    private double workingSetBytes() throws IOException {
        String current = Files.readString(own.resolve(v1 ? "memory.usage_in_bytes" : "memory.current"))
                .strip();
        return Long.parseLong(current)
                - number(own.resolve("memory.stat"), v1 ? "total_inactive_file" : "inactive_file");
    }

    /** Sums all threads, from the scheduler's count (/proc/PID/task/TID/schedstat). */
    private static long cpuNanos(Process agent) throws IOException {
        try (Stream<Path> threads = Files.list(Path.of("/proc/" + agent.pid() + "/task"))) {
            return threads.mapToLong(FootprintBench::threadCpuNanos).sum();
        }
    }

    private static long threadCpuNanos(Path thread) {
        try {
            return Long.parseLong(Files.readString(thread.resolve("schedstat")).split(" ")[0]);
        } catch (NoSuchFileException e) {
            return 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long number(Path file, String key) throws IOException {
        for (String line : Files.readAllLines(file)) {
            String[] words = line.split("\\s+");
            if (words[0].equals(key)) {
                return Long.parseLong(words[1]);
            }
        }
        throw new IOException(file + " has no " + key);
    }

    // ---- the watched cgroups

    private void makeCgroups(List<Path> cgroups) throws IOException {
        Files.createDirectory(own);
        Files.createDirectory(parent);
        if (!v1) {
            Files.writeString(memory.resolve("cgroup.subtree_control"), "+memory");
            Files.writeString(parent.resolve("cgroup.subtree_control"), "+memory");
        }
        for (int i = 0; i < CGROUPS; i++) {
            cgroups.add(Files.createDirectory(parent.resolve("cgroup-" + i)));
            limit(cgroups.get(i), CGROUP_LIMIT_BYTES);
        }
    }

    private void limit(Path cgroup, long bytes) throws IOException {
        Files.writeString(cgroup.resolve(v1 ? "memory.limit_in_bytes" : "memory.max"), String.valueOf(bytes));
        Path swap = cgroup.resolve(v1 ? "memory.memsw.limit_in_bytes" : "memory.swap.max");
        if (Files.exists(swap)) {
            Files.writeString(swap, v1 ? String.valueOf(bytes) : "0");
        }
    }

    /** Causes a real OOM kill by the kernel. */
    private void kill(Path cgroup) throws IOException, InterruptedException {
        Files.writeString(
                cgroup.resolve(v1 ? "memory.limit_in_bytes" : "memory.max"), String.valueOf(VICTIM_LIMIT_BYTES));
        new ProcessBuilder("sh", "-c", "echo $$ >" + cgroup.resolve("cgroup.procs") + " && exec tail /dev/zero")
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start()
                .waitFor();
    }

    private void removeAll(List<Path> cgroups) throws IOException {
        for (Path cgroup : cgroups) {
            Files.deleteIfExists(cgroup);
        }
        Files.deleteIfExists(parent);
        Files.deleteIfExists(own);
    }

    private static void run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).inheritIO().start();
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + " failed");
        }
    }
}
