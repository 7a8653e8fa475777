package dev.exit137.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** What the benchmarks do with a running {@code bin/exit137 agent}. */
final class AgentProcess {
    private static final long START_NANOS = TimeUnit.SECONDS.toNanos(60);
    private static final long POLL_MILLIS = 2;

    private AgentProcess() {}

    /**
     * Returns the agent once it watches the node; an agent that does not start is ended.
     *
     * @param log its output
     */
    static Process awaitWatching(Process agent, Path log) throws IOException, InterruptedException {
        long begin = System.nanoTime();
        while (!Files.readString(log).contains("agent watches")) {
            if (!agent.isAlive() || System.nanoTime() - begin > START_NANOS) {
                stop(agent);
                throw new IOException("the agent does not start; see " + log);
            }
            Thread.sleep(POLL_MILLIS);
        }
        return agent;
    }

    static void stop(Process agent) throws InterruptedException {
        agent.destroy();
        agent.waitFor();
    }

    /** RssAnon of /proc/PID/status. */
    static double anonBytes(Process agent) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + agent.pid() + "/status")).stream()
                .filter(line -> line.startsWith("RssAnon:"))
                .mapToDouble(line -> 1024.0 * Long.parseLong(line.split("\\s+")[1]))
                .findFirst()
                .orElseThrow();
    }
}
