package dev.exit137.agent;

import dev.exit137.agent.container.LabelFilter;
import dev.exit137.agent.container.RuntimeSockets;
import dev.exit137.agent.delivery.EventSink;
import dev.exit137.agent.trace.SenderCommand;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.tls.ClientSecurity;
import java.io.IOException;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;

/** An agent in a process of its own, with the launcher's flags. */
final class AgentProcess {
    private AgentProcess() {}

    /** Starts one on a node that is made up. @param log gets what it prints */
    static Process start(FakeHost host, Path stateDir, String aggregator, Path log) throws IOException {
        return new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "@../bin/jvm.args",
                        "@../bin/agent.args",
                        "-cp",
                        System.getProperty("java.class.path"),
                        AgentProcess.class.getName(),
                        stateDir.toString(),
                        host.kmsg.path().toString(),
                        host.cgroupRoot().toString(),
                        host.procRoot().toString(),
                        aggregator)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                .start();
    }

    /** Runs until its standard input ends. */
    public static void main(String[] args) throws IOException {
        Path stateDir = Path.of(args[0]);
        Agent agent = Agent.start(
                new AgentConfig(
                        "node-1",
                        "cluster-1",
                        stateDir,
                        Path.of(args[1]),
                        Path.of(args[2]),
                        Path.of(args[3]),
                        List.of(args[4]),
                        ClientSecurity.PLAINTEXT,
                        AgentConfig.DEFAULT_COUNTER_GRACE,
                        new RuntimeSockets(List.of(stateDir.resolve("no-runtime.sock")), List.of()),
                        LabelFilter.DEFAULT,
                        AgentConfig.DEFAULT_IDENTITY_TIMEOUT,
                        AgentConfig.DEFAULT_SAMPLE_INTERVAL,
                        AgentConfig.DEFAULT_SPOOL_BYTES,
                        false,
                        new SenderCommand(false),
                        false,
                        AgentConfig.DEFAULT_METRICS_MAX_SERIES,
                        "off",
                        "off"),
                EventSink.NONE,
                InstantSource.system(),
                new Guard());
        while (System.in.read() >= 0) {
            // Nothing is said to it.
        }
        agent.close();
    }
}
