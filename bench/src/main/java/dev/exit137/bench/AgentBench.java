package dev.exit137.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Measures the agent's memory while cgroups come and go on this machine, without an aggregator. Needs root. */
final class AgentBench {
    private static final int CGROUPS = 1000;
    private static final int ROUNDS = 5;
    private static final long STAY_MILLIS = 3000;
    private static final long START_NANOS = TimeUnit.SECONDS.toNanos(60);

    private final Path root;
    private final Path work;

    AgentBench(Path root, Path work) {
        this.root = root;
        this.work = work;
    }

    List<Figure> run() throws IOException, InterruptedException {
        Path v1 = Path.of("/sys/fs/cgroup/memory");
        Path parent = (Files.isDirectory(v1) ? v1 : Path.of("/sys/fs/cgroup")).resolve("exit137-bench");
        try {
            Files.createDirectory(parent);
        } catch (IOException e) {
            return List.of(
                    Figure.plain("agent: memory while cgroups come and go: not measured, needs root and a cgroup", ""));
        }
        Path log = work.resolve("agent.log");
        Process agent = new ProcessBuilder(
                        root.resolve("bin/exit137").toString(),
                        "agent",
                        "--aggregator",
                        "127.0.0.1:1",
                        "--node-name",
                        "bench",
                        "--state-dir",
                        work.resolve("agent-state").toString())
                .redirectOutput(log.toFile())
                .redirectErrorStream(true)
                .start();
        try (MemoryWatch memory = new MemoryWatch(agent.pid())) {
            long begin = System.nanoTime();
            while (!Files.readString(log).contains("agent watches")) {
                if (!agent.isAlive() || System.nanoTime() - begin > START_NANOS) {
                    throw new IOException("the agent does not start; see " + log);
                }
                Thread.sleep(100);
            }
            Thread.sleep(STAY_MILLIS);
            long atRest = memory.maxAnonMib();
            for (int round = 0; round < ROUNDS; round++) {
                comeAndGo(parent);
            }
            return List.of(
                    Figure.plain("agent: anonymous memory after its start", atRest + " MiB"),
                    Figure.plain(
                            "  at most while " + CGROUPS + " cgroups came and went " + ROUNDS + " times",
                            memory.maxAnonMib() + " MiB"));
        } finally {
            agent.destroy();
            agent.waitFor();
            Files.delete(parent);
        }
    }

    private static void comeAndGo(Path parent) throws IOException, InterruptedException {
        List<Path> made = new ArrayList<>();
        for (int i = 0; i < CGROUPS; i++) {
            made.add(Files.createDirectory(parent.resolve("cgroup-" + i)));
        }
        Thread.sleep(STAY_MILLIS);
        for (Path cgroup : made) {
            Files.delete(cgroup);
        }
    }
}
