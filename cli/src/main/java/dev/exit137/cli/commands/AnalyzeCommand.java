package dev.exit137.cli.commands;

import dev.exit137.cli.analyze.AnalyzedIncident;
import dev.exit137.cli.analyze.LogCorrelator;
import dev.exit137.cli.analyze.LogReader;
import dev.exit137.cli.analyze.LogTotals;
import dev.exit137.cli.analyze.Progress;
import dev.exit137.cli.options.OutputOptions;
import dev.exit137.cli.render.JsonLines;
import dev.exit137.cli.render.OutputFormat;
import dev.exit137.cli.render.report.AnalysisSummary;
import dev.exit137.cli.render.report.IncidentText;
import dev.exit137.cli.terminal.Failure;
import dev.exit137.cli.terminal.OutputClosedException;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.proto.v1.OomKillEvent;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Reports every OOM in a saved log. */
@Command(
        name = "analyze",
        description = {
            "Reads every OOM report of the kernel in a saved log. The log may come from /dev/kmsg, dmesg, journalctl, syslog,"
                    + " a serial console or a log collector, and from any kernel since 2.6.24.",
            "For a compressed log: zcat messages.1.gz | exit137 analyze -"
        })
public final class AnalyzeCommand implements Callable<Integer> {
    private static final String STDIN = "-";

    private final Terminal terminal;
    private final InputStream stdin;

    @Parameters(
            index = "0",
            arity = "0..1",
            paramLabel = "FILE",
            defaultValue = STDIN,
            description = "The log file; - is stdin (default: ${DEFAULT-VALUE}).")
    private String file;

    @Mixin
    private OutputOptions outputOptions;

    /** @param stdin the log if FILE is - */
    public AnalyzeCommand(Terminal terminal, InputStream stdin) {
        this.terminal = terminal;
        this.stdin = stdin;
    }

    @Override
    public Integer call() throws Exception {
        boolean json = outputOptions.format() == OutputFormat.JSON;
        AnalysisSummary summary = new AnalysisSummary();
        try (InputStream in = open();
                Progress progress =
                        new Progress(in, file.equals(STDIN) ? -1 : Files.size(Path.of(file)), terminal.err())) {
            LogCorrelator correlator = new LogCorrelator(incident -> {
                progress.clear();
                print(incident, json);
                summary.add(incident);
            });
            LogReader reader = new LogReader(correlator);
            reader.read(progress);
            correlator.close();
            progress.clear();
            if (!json) {
                LogTotals totals = new LogTotals(
                        reader.bytes(), reader.lineCount(), reader.linesCut(), correlator.reportsSuppressed());
                printPage(out -> summary.print(totals, out));
            }
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        return 0;
    }

    private void print(AnalyzedIncident incident, boolean json) {
        try {
            if (!json) {
                printPage(out -> IncidentText.print(incident, out));
                return;
            }
            for (OomKillEvent event : incident.events()) {
                terminal.print(JsonLines.line(event));
            }
        } catch (OutputClosedException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void printPage(Consumer<PrintWriter> printer) throws OutputClosedException {
        StringWriter page = new StringWriter();
        PrintWriter out = new PrintWriter(page);
        printer.accept(out);
        out.flush();
        terminal.print(page.toString().stripTrailing() + "\n");
    }

    private InputStream open() throws IOException, Failure {
        if (file.equals(STDIN)) {
            return stdin;
        }
        Path path = path();
        if (Files.isDirectory(path)) {
            throw new Failure(file + ": is a directory");
        }
        if (!Files.exists(path)) {
            throw new NoSuchFileException(file);
        }
        if (!Files.isReadable(path)) {
            throw new AccessDeniedException(file);
        }
        return new FileInputStream(file);
    }

    private Path path() throws NoSuchFileException {
        try {
            return Path.of(file);
        } catch (InvalidPathException e) {
            throw new NoSuchFileException(file);
        }
    }
}
