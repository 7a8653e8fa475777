package dev.exit137.cli;

import dev.exit137.cli.commands.AgentCommand;
import dev.exit137.cli.commands.AggregatorCommand;
import dev.exit137.cli.commands.AnalyzeCommand;
import dev.exit137.cli.commands.CodesCommand;
import dev.exit137.cli.commands.DemoCommand;
import dev.exit137.cli.commands.ExitsCommand;
import dev.exit137.cli.commands.GetCommand;
import dev.exit137.cli.commands.ListCommand;
import dev.exit137.cli.commands.NodesCommand;
import dev.exit137.cli.commands.RunCommand;
import dev.exit137.cli.commands.SummaryCommand;
import dev.exit137.cli.commands.WatchCommand;
import dev.exit137.cli.commands.WhyCommand;
import dev.exit137.cli.options.EnvironmentDefaults;
import dev.exit137.cli.options.ExitFilterOptions;
import dev.exit137.cli.options.FilterOptions;
import dev.exit137.cli.options.Times;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.daemon.log.ProgramLog;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.OomKillEvent;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.security.Security;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command line: {@code exit137 SUBCOMMAND}. Exit codes: 0 success, 1 failure, 2 bad usage. */
@Command(
        name = "exit137",
        description = "Reports every OOM kill as a structured event, with the kernel's own evidence for its victim and "
                + "reason.")
public final class Main implements Callable<Integer> {
    private static final String FOOTER =
            "%nAn environment variable can set every option: EXIT137_KMSG_PATH sets --kmsg-path. The command line wins.";

    private static final Map<String, Function<Terminal, Object>> SUBCOMMANDS = new LinkedHashMap<>();

    static {
        SUBCOMMANDS.put("run", RunCommand::new);
        SUBCOMMANDS.put("agent", AgentCommand::new);
        SUBCOMMANDS.put("aggregator", AggregatorCommand::new);
        SUBCOMMANDS.put("demo", DemoCommand::new);
        SUBCOMMANDS.put("watch", WatchCommand::new);
        SUBCOMMANDS.put("list", ListCommand::new);
        SUBCOMMANDS.put("why", WhyCommand::new);
        SUBCOMMANDS.put("exits", ExitsCommand::new);
        SUBCOMMANDS.put("get", GetCommand::new);
        SUBCOMMANDS.put("nodes", NodesCommand::new);
        SUBCOMMANDS.put("summary", SummaryCommand::new);
        SUBCOMMANDS.put("codes", CodesCommand::new);
        SUBCOMMANDS.put("analyze", terminal -> new AnalyzeCommand(terminal, System.in));
    }

    @Spec
    private CommandSpec command;

    private Main() {}

    /** Ends the process with the command's exit code. */
    public static void main(String[] args) {
        ProgramLog.ofProcess().takeJavaUtilLogging();
        // Each attempt to reach a server looks its name up again; Java would remember the old address for 30 s.
        Security.setProperty("networkaddress.cache.ttl", "1");
        Security.setProperty("networkaddress.cache.negative.ttl", "1");
        int exitCode = run(Terminal.ofProcess(), args);
        ProgramLog.ofProcess().close();
        System.exit(exitCode);
    }

    /** Runs one command to its end and returns its exit code. */
    public static int run(Terminal terminal, String... args) {
        CommandLine main = commandLine(terminal, args);
        var errors = new ErrorReport(terminal, args);
        // A libc, an epoll or a SQLite that cannot be unpacked is an Error, and picocli passes no Error to a handler.
        main.setExecutionStrategy(parsed -> {
            try {
                return new CommandLine.RunLast().execute(parsed);
            } catch (LinkageError e) {
                return errors.handleNativeLibraryMissing(e);
            }
        });
        return main.setParameterExceptionHandler(errors)
                .setExecutionExceptionHandler(errors)
                .execute(args);
    }

    /**
     * The model of all subcommands and flags; tests compare documents and manifests with it. If the arguments begin with
     * a subcommand, the model has only that one: a model of all of them costs a daemon a third of its start.
     */
    public static CommandLine commandLine(Terminal terminal, String... args) {
        CommandLine main = new CommandLine(new Main());
        String asked = args.length > 0 ? args[0] : "";
        SUBCOMMANDS.forEach((name, command) -> {
            if (name.equals(asked) || !SUBCOMMANDS.containsKey(asked)) {
                main.addSubcommand(name, command.apply(terminal));
            }
        });
        main.getSubcommands()
                .values()
                .forEach(
                        subcommand -> subcommand.getCommandSpec().usageMessage().footer(FOOTER));
        main.getCommandSpec().usageMessage().footer("%n'exit137 SUBCOMMAND --help' shows the options of a subcommand.");
        allCommands(main).forEach(each -> {
            each.getCommandSpec().mixinStandardHelpOptions(true).versionProvider(new Version());
            each.getCommandSpec().usageMessage().width(100).sortOptions(false).abbreviateSynopsis(true);
        });
        return main.setDefaultValueProvider(new EnvironmentDefaults(terminal.environment()))
                .setCaseInsensitiveEnumValuesAllowed(true)
                .registerConverter(Duration.class, Times::duration)
                .registerConverter(Instant.class, text -> Times.instant(text, terminal.clock()))
                .registerConverter(OomKillEvent.Scope.class, FilterOptions::scope)
                .registerConverter(ExitEvent.Cause.class, ExitFilterOptions::cause)
                .setOut(new PrintWriter(terminal.out(), true, StandardCharsets.UTF_8))
                .setErr(new PrintWriter(terminal.err(), true, StandardCharsets.UTF_8));
    }

    private static List<CommandLine> allCommands(CommandLine main) {
        return Stream.concat(Stream.of(main), main.getSubcommands().values().stream())
                .toList();
    }

    @Override
    public Integer call() {
        throw new ParameterException(
                command.commandLine(),
                "a subcommand is needed: "
                        + String.join(", ", command.subcommands().keySet()));
    }
}
