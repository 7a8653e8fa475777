package dev.exit137.cli;

import dev.exit137.cli.options.EnvironmentDefaults;
import dev.exit137.cli.terminal.Failure;
import dev.exit137.cli.terminal.OutputClosedException;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.daemon.tls.UnusableFileException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.util.Arrays;
import java.util.Objects;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns a failure into one line and an exit code. Only a defect of exit137 itself shows a stack trace. */
final class ErrorReport implements IParameterExceptionHandler, IExecutionExceptionHandler {
    private final Terminal terminal;
    private final String[] args;

    ErrorReport(Terminal terminal, String[] args) {
        this.terminal = terminal;
        this.args = args;
    }

    @Override
    public int handleParseException(ParameterException e, String[] ignored) {
        terminal.say(e.getMessage() + fromEnvironment(e.getArgSpec()) + suggestion(e));
        terminal.say("see '" + e.getCommandLine().getCommandSpec().qualifiedName() + " --help'");
        return Failure.EXIT_CODE_USAGE;
    }

    @Override
    public int handleExecutionException(Exception e, CommandLine command, ParseResult parsed) {
        switch (e) {
            case OutputClosedException _ -> {
                return 0;
            }
            case Failure failure -> {
                terminal.say(Objects.toString(failure.getMessage()));
                return failure.exitCode();
            }
            case UnusableFileException file -> {
                terminal.say(Objects.toString(file.getMessage()));
                return Failure.EXIT_CODE_USAGE;
            }
            case IOException failure -> terminal.say(describe(failure));
            default -> {
                terminal.say("a defect of exit137, please report it:");
                e.printStackTrace(terminal.err());
            }
        }
        return Failure.EXIT_CODE_FAILED;
    }

    /** The jars contain libraries for libc, epoll and SQLite; the JVM's temporary directory gets them. */
    int handleNativeLibraryMissing(LinkageError e) {
        terminal.say("a native library cannot be loaded: " + rootCause(e) + "; the directory for temporary files, "
                + System.getProperty("java.io.tmpdir") + ", must be writable and allow programs to run (no noexec)."
                + " Another one: EXIT137_JAVA_OPTS=-Djava.io.tmpdir=DIRECTORY");
        return Failure.EXIT_CODE_FAILED;
    }

    private static String rootCause(Throwable e) {
        Throwable cause = e;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        return String.valueOf(cause.getMessage()).lines().findFirst().orElse("");
    }

    /** Names the environment variable of a bad value that is not from the command line. */
    private String fromEnvironment(ArgSpec argument) {
        if (!(argument instanceof OptionSpec option)) {
            return "";
        }
        boolean onCommandLine = Arrays.stream(args)
                .anyMatch(arg -> Arrays.stream(option.names()).anyMatch(arg::startsWith));
        return EnvironmentDefaults.twin(option)
                .filter(twin -> !onCommandLine && terminal.environment().containsKey(twin))
                .map(twin -> " (from the environment: " + twin + ")")
                .orElse("");
    }

    private static String suggestion(ParameterException e) {
        return e instanceof UnmatchedArgumentException unmatched
                        && !unmatched.getSuggestions().isEmpty()
                ? "; did you mean '" + unmatched.getSuggestions().getFirst() + "'?"
                : "";
    }

    /** Adds the problem to the message, since the JDK's own file exceptions name only the file. */
    private static String describe(IOException e) {
        return switch (e) {
            case AccessDeniedException denied -> denied.getFile() + ": permission denied";
            case NoSuchFileException missing -> missing.getFile() + ": no such file or directory";
            case FileAlreadyExistsException file -> file.getFile() + ": not a directory";
            default -> Objects.requireNonNullElse(e.getMessage(), e.toString());
        };
    }
}
