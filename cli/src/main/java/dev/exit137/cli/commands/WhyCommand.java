package dev.exit137.cli.commands;

import dev.exit137.agent.AgentConfig;
import dev.exit137.agent.container.RuntimeSockets;
import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.local.DockerSocket;
import dev.exit137.cli.local.Host;
import dev.exit137.cli.local.HostPrograms;
import dev.exit137.cli.local.LocalHistory;
import dev.exit137.cli.options.OutputOptions;
import dev.exit137.cli.options.ServerOptions;
import dev.exit137.cli.render.EventPrinter;
import dev.exit137.cli.render.JsonLines;
import dev.exit137.cli.render.OutputFormat;
import dev.exit137.cli.render.report.WhyText;
import dev.exit137.cli.terminal.Failure;
import dev.exit137.cli.terminal.OutputClosedException;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.cli.why.AggregatorHistory;
import dev.exit137.cli.why.Fact;
import dev.exit137.cli.why.Nearest;
import dev.exit137.cli.why.Subject;
import dev.exit137.cli.why.WhyAnswer;
import dev.exit137.daemon.tls.UnusableFileException;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.OomKillEvent;
import io.grpc.Status;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Explains the last ends of one subject. */
@Command(
        name = "why",
        description = {
            "Says why a container, pod, service or process ended: when, by whom, with what evidence, and what to do.",
            "It asks an aggregator. If none answers at the default address, or the aggregator knows nothing, it looks at "
                    + "what this machine still knows: Docker, systemd, the kernel's log."
        })
public final class WhyCommand implements Callable<Integer> {
    private static final int MAX_LAST = 100;

    private final Terminal terminal;

    @Spec
    private CommandSpec command;

    @Parameters(
            paramLabel = "SUBJECT",
            description =
                    "Name or id prefix of a container, NAMESPACE/POD[/CONTAINER], systemd unit, pid, or the beginning "
                            + "of an event's id. A prefix decides: docker:web, pod:web, unit:web, pid:4711, event:ID.")
    private String subject;

    @Option(
            names = "--last",
            paramLabel = "N",
            defaultValue = "3",
            description = "Largest number of ends, 1 to 100 (default: ${DEFAULT-VALUE}).")
    private int last;

    @Option(names = "--node", paramLabel = "NAME", defaultValue = "", description = "Only events of this node.")
    private String node;

    @Option(names = "--local", description = "Ask no aggregator: look at this machine alone.")
    private boolean local;

    @Option(
            names = "--docker-endpoint",
            paramLabel = "FILE",
            description = "Socket of Docker Engine on this machine (default: /run/docker.sock).")
    private Optional<String> dockerEndpoint;

    @Option(
            names = "--kmsg-path",
            paramLabel = "FILE",
            description = "Log device of this machine's kernel (default: /dev/kmsg).")
    private Optional<Path> kmsgPath;

    @Option(
            names = "--proc-root",
            paramLabel = "DIR",
            description = "Where this machine's procfs is mounted (default: /proc).")
    private Optional<Path> procRoot;

    @Mixin
    private ServerOptions serverOptions;

    @Mixin
    private OutputOptions outputOptions;

    public WhyCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws Exception {
        if (last < 1 || last > MAX_LAST) {
            throw new ParameterException(command.commandLine(), "--last must be 1 to " + MAX_LAST + ", and is " + last);
        }
        boolean named = serverOptions.isNamed(terminal.environment());
        if (local && named) {
            throw new ParameterException(
                    command.commandLine(), "--local asks no aggregator, and --server names one: give one of them");
        }
        Subject asked;
        try {
            asked = Subject.parse(subject);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(command.commandLine(), e.getMessage(), e);
        }
        Set<String> names = new LinkedHashSet<>();
        Optional<WhyAnswer> answer = local ? Optional.empty() : fromAggregator(asked, named, names);
        if (answer.isEmpty() && !named) {
            answer = fromThisMachine(asked, names);
        }
        print(answer.orElseThrow(
                () -> new Failure("nothing is known of '" + asked + "'" + Nearest.advice(asked.text(), names))));
        return 0;
    }

    /** @param named whether a person named the aggregator: then it must answer */
    private Optional<WhyAnswer> fromAggregator(Subject asked, boolean named, Set<String> names)
            throws Failure, OutputClosedException, UnusableFileException {
        try (AggregatorClient client = serverOptions.client(terminal.clock())) {
            AggregatorHistory history = new AggregatorHistory(client, node);
            Optional<WhyAnswer> answer = history.find(asked, last);
            names.addAll(history.names());
            if (answer.isEmpty() && !named) {
                terminal.say("the aggregator at " + serverOptions.server() + " has no end of '" + asked
                        + "'; looking at this machine");
            }
            return answer;
        } catch (Failure e) {
            boolean noAggregator = AggregatorClient.hasStatus(e, Status.Code.UNAVAILABLE)
                    || AggregatorClient.hasStatus(e, Status.Code.UNIMPLEMENTED);
            if (named || !noAggregator) {
                throw e;
            }
            terminal.say("no aggregator answers at " + serverOptions.server() + " (--server); looking at this machine");
            return Optional.empty();
        }
    }

    private Optional<WhyAnswer> fromThisMachine(Subject asked, Set<String> names) throws Failure {
        Path docker = sockets().docker().getFirst();
        LocalHistory history = new LocalHistory(
                new Host(procRoot.orElse(AgentConfig.DEFAULT_PROC_ROOT), terminal.clock()),
                new DockerSocket(docker, LocalHistory.PATIENCE),
                new HostPrograms(terminal.environment(), LocalHistory.PATIENCE),
                kmsgPath.orElse(AgentConfig.DEFAULT_KMSG_PATH));
        Optional<WhyAnswer> answer = history.find(asked, last);
        names.addAll(history.names());
        if (answer.isEmpty()) {
            history.unread().forEach(reason -> terminal.say("not read: " + reason));
        }
        return answer;
    }

    private RuntimeSockets sockets() {
        try {
            return dockerEndpoint.map(RuntimeSockets.USUAL::withDocker).orElse(RuntimeSockets.USUAL);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(command.commandLine(), e.getMessage(), e);
        }
    }

    private void print(WhyAnswer answer) throws OutputClosedException {
        if (outputOptions.format() == OutputFormat.TEXT) {
            for (String line : WhyText.of(answer, terminal.zone())) {
                terminal.print(line);
            }
            return;
        }
        EventPrinter printer = new EventPrinter(terminal, OutputFormat.JSON, true);
        for (ExitEvent exit : answer.exits()) {
            printer.printRow(exit);
        }
        for (OomKillEvent kill : answer.kills()) {
            printer.printRow(kill);
        }
        for (Fact fact : answer.facts()) {
            terminal.print(JsonLines.fact(fact.certain(), fact.text()));
        }
        for (String reason : answer.unread()) {
            terminal.say("not read: " + reason);
        }
    }
}
