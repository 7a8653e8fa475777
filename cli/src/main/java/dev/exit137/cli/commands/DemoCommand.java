package dev.exit137.cli.commands;

import dev.exit137.agent.AgentConfig;
import dev.exit137.agent.cgroup.CgroupMount;
import dev.exit137.agent.container.LabelFilter;
import dev.exit137.agent.container.RuntimeSockets;
import dev.exit137.agent.delivery.EventSink;
import dev.exit137.agent.systemd.SystemdUnits;
import dev.exit137.agent.trace.SenderCommand;
import dev.exit137.aggregator.AggregatorConfig;
import dev.exit137.cli.demo.ExpectedKill;
import dev.exit137.cli.demo.ScratchCgroup;
import dev.exit137.cli.options.EventKinds;
import dev.exit137.cli.options.EventKinds.Kind;
import dev.exit137.cli.options.OutputOptions;
import dev.exit137.cli.options.StateDirectory;
import dev.exit137.cli.render.EventPrinter;
import dev.exit137.cli.terminal.Failure;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.log.ProgramLog;
import dev.exit137.daemon.tls.ClientSecurity;
import dev.exit137.proto.v1.OomKillEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.slf4j.event.Level;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Makes one real OOM kill and checks its event, from the kernel to a consumer's stream. */
@Command(
        name = "demo",
        description = "Makes one real OOM kill in a scratch cgroup and prints its event from the aggregator's stream. "
                + "Exits 0 only if the event is right. Needs root.")
public final class DemoCommand implements Callable<Integer> {
    private static final long LIMIT_BYTES = 32 << 20;
    private static final String VICTIM_COMM = "tail";

    private final Terminal terminal;

    @Mixin
    private OutputOptions outputOptions;

    @Option(
            names = "--timeout",
            paramLabel = "DURATION",
            defaultValue = "30s",
            description = "Longest wait for the kill, and then for its event (default: ${DEFAULT-VALUE}).")
    private Duration timeout;

    /** @param terminal gets the output */
    public DemoCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws Exception {
        // The log messages of the two daemons would hide those of the demo.
        ProgramLog.setLevel(Level.WARN);
        if (!StateDirectory.isRoot()) {
            throw new Failure("demo makes a cgroup and reads the kernel's log: run it as root");
        }
        CgroupMount mount = CgroupMount.find(AgentConfig.DEFAULT_PROC_ROOT, null)
                .orElseThrow(() -> new Failure("demo needs the cgroup memory controller, and none is mounted here"));
        terminal.stop().listen();
        Path state = Files.createTempDirectory("exit137-demo-");
        try (ScratchCgroup cgroup = makeCgroup(mount);
                LocalNode node = LocalNode.start(
                        terminal,
                        aggregatorConfig(state),
                        agentConfig(state),
                        EventSink.NONE,
                        new Guard(),
                        EventKinds.of(Kind.OOM))) {
            terminal.say("agent and aggregator run, cgroup " + cgroup.path() + " is limited to 32 MiB");
            ExpectedKill kill = new ExpectedKill(letTheKernelKill(cgroup), VICTIM_COMM, cgroup.path());
            terminal.say("the kernel has killed " + kill.comm() + "(" + kill.pid() + "); waiting for the event");
            new EventPrinter(terminal, outputOptions.format()).print(awaitEvent(node, kill));
            terminal.say("it is the right one");
        } finally {
            deleteTree(state);
        }
        return 0;
    }

    private static ScratchCgroup makeCgroup(CgroupMount mount) throws Failure {
        try {
            return ScratchCgroup.make(mount, LIMIT_BYTES);
        } catch (IOException e) {
            throw new Failure(
                    "demo cannot make a memory cgroup below " + mount.root() + ": " + e.getMessage()
                            + " (in a container it needs a writable cgroup mount)",
                    Failure.EXIT_CODE_FAILED,
                    e);
        }
    }

    private static AggregatorConfig aggregatorConfig(Path state) {
        return new AggregatorConfig("127.0.0.1", 0, state.resolve("aggregator"));
    }

    private static AgentConfig agentConfig(Path state) {
        return new AgentConfig(
                "demo",
                "",
                state.resolve("agent"),
                AgentConfig.DEFAULT_KMSG_PATH,
                null,
                AgentConfig.DEFAULT_PROC_ROOT,
                List.of("127.0.0.1:" + AggregatorConfig.DEFAULT_LISTEN_PORT),
                ClientSecurity.PLAINTEXT,
                AgentConfig.DEFAULT_COUNTER_GRACE,
                RuntimeSockets.USUAL,
                LabelFilter.DEFAULT,
                AgentConfig.DEFAULT_IDENTITY_TIMEOUT,
                AgentConfig.DEFAULT_SAMPLE_INTERVAL,
                AgentConfig.DEFAULT_SPOOL_BYTES,
                false,
                new SenderCommand(false),
                false,
                AgentConfig.DEFAULT_METRICS_MAX_SERIES,
                SystemdUnits.OFF,
                "off");
    }

    /** Returns the victim's pid. */
    private long letTheKernelKill(ScratchCgroup cgroup) throws Failure, IOException, InterruptedException {
        // /dev/zero has no line end, so tail keeps all of it.
        Process victim = new ProcessBuilder(
                        "sh",
                        "-c",
                        "echo $$ > \"$0\" && exec tail /dev/zero",
                        cgroup.procs().toString())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            if (!victim.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new Failure("the kernel has not killed the demo's process within " + timeout.toMillis() + " ms");
            }
            // A shell and Java report a process that SIGKILL ended as 128 + 9.
            if (victim.exitValue() != 137) {
                throw new Failure("the demo's process was not killed, it ended with exit code " + victim.exitValue());
            }
            return victim.pid();
        } finally {
            victim.destroyForcibly().waitFor();
        }
    }

    /** Waits for a right revision, since a better one may follow a wrong one. */
    private OomKillEvent awaitEvent(LocalNode node, ExpectedKill kill) throws Failure, InterruptedException {
        long start = System.nanoTime();
        List<String> mistakes = List.of("none came");
        while (true) {
            Optional<OomKillEvent> event = node.kills().next(timeout.minusNanos(System.nanoTime() - start));
            if (event.isEmpty()) {
                throw new Failure(
                        terminal.stop().isRequested()
                                ? "demo was interrupted"
                                : "no right event came within " + timeout.toMillis() + " ms: "
                                        + String.join(", ", mistakes));
            }
            if (kill.isMeantBy(event.get())) {
                mistakes = kill.mistakes(event.get());
                if (mistakes.isEmpty()) {
                    return event.get();
                }
            }
        }
    }

    private static void deleteTree(Path directory) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
