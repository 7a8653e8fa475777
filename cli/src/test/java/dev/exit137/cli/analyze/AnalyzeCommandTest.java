package dev.exit137.cli.analyze;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.cli.commands.AnalyzeCommand;
import dev.exit137.cli.terminal.OutputClosedException;
import dev.exit137.cli.terminal.StopSignal;
import dev.exit137.cli.terminal.Terminal;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class AnalyzeCommandTest {
    private static final String KILL = "[   12.000000] Out of memory: Killed process 7 (java) total-vm:7169492kB, "
            + "anon-rss:7165824kB, file-rss:956kB, shmem-rss:0kB, UID:0 pgtables:14076kB oom_score_adj:0\n";

    @TempDir
    private Path directory;

    private Path file(String log) throws IOException {
        return Files.writeString(directory.resolve("log"), log);
    }

    @Test
    void textTellsEachOomAndThenAllOfThem() throws IOException {
        Analysis analysis = Analysis.run(file("booting\n" + KILL).toString());
        assertThat(analysis.exitCode()).isZero();
        assertThat(analysis.err()).isEmpty();
        assertThat(analysis.out())
                .startsWith("OOM at 12.000000, line 2, node: killed java (7)\n")
                .contains("In all: 1 OOM, 1 process killed", "2 lines");
    }

    @Test
    void jsonIsNothingButEvents() throws IOException {
        Analysis analysis = Analysis.run("-o", "json", file("booting\n" + KILL).toString());
        assertThat(analysis.exitCode()).isZero();
        assertThat(analysis.events())
                .extracting(event -> event.getVictim().getPid())
                .containsExactly(7);
        assertThat(Analysis.run("-o", "json", file("booting\n").toString())).isEqualTo(new Analysis(0, "", ""));
    }

    @Test
    void aLogWithoutAnOomIsNoFailureAndSaysWhatWasRead() throws IOException {
        Analysis analysis = Analysis.run(file("booting\nup\n").toString());
        assertThat(analysis.exitCode()).isZero();
        assertThat(analysis.out()).startsWith("No OOM found.").contains("2 lines");
    }

    @Test
    void whatCannotBeReadIsSaidInOneLine() throws IOException {
        Path missing = directory.resolve("missing");
        assertThat(Analysis.run(missing.toString()))
                .isEqualTo(new Analysis(1, "", "exit137: " + missing + ": no such file or directory\n"));
        assertThat(Analysis.run(directory.toString()))
                .isEqualTo(new Analysis(1, "", "exit137: " + directory + ": is a directory\n"));
        assertThat(Analysis.run("a\0b").exitCode()).isEqualTo(1);
    }

    @Test
    void stdinIsReadWhereNoFileIsNamed() {
        for (String[] args : new String[][] {{"-o", "json"}, {"-o", "json", "-"}}) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            assertThat(run(out, new AtomicReference<>(), args)).isZero();
            assertThat(out.toString(UTF_8).lines()).hasSize(2);
        }
    }

    @Test
    void aReaderOfTheOutputThatGoesAwayEndsTheAnalysis() {
        OutputStream closed = new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException("Broken pipe");
            }
        };
        AtomicReference<Exception> thrown = new AtomicReference<>();
        run(closed, thrown);
        assertThat(thrown.get()).isInstanceOf(OutputClosedException.class);
    }

    private static int run(OutputStream out, AtomicReference<Exception> thrown, String... args) {
        Terminal terminal = new Terminal(
                new PrintStream(out, false, UTF_8),
                new PrintStream(OutputStream.nullOutputStream()),
                Map.of(),
                InstantSource.system(),
                ZoneOffset.UTC,
                new StopSignal(Set.of()));
        byte[] log = (KILL + "\n" + KILL.replace("process 7", "process 8")).getBytes(UTF_8);
        return new CommandLine(new AnalyzeCommand(terminal, new ByteArrayInputStream(log)))
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler((e, command, parsed) -> {
                    thrown.set(e);
                    return 1;
                })
                .execute(args);
    }

    @Test
    void aLogThatTakesLongShowsHowFarItIsUntilItIsRead() throws IOException {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        long[] nanos = {0};
        byte[] mebibyte = new byte[1 << 20];
        Progress progress = new Progress(
                new ByteArrayInputStream(new byte[4 << 20]), 4 << 20, new PrintStream(err), true, () -> nanos[0]);
        progress.read(mebibyte);
        nanos[0] = 1_900_000_000L;
        progress.read(mebibyte);
        assertThat(err.toString(UTF_8)).isEmpty();

        nanos[0] = 2_000_000_000L;
        progress.read(mebibyte);
        nanos[0] = 2_100_000_000L;
        progress.read(mebibyte);
        assertThat(err.toString(UTF_8)).isEqualTo("\rread 3 MiB (75 %), 2 MiB/s\u001b[K");

        progress.close();
        assertThat(err.toString(UTF_8)).endsWith("\r\u001b[K");
    }

    @Test
    void anythingButATerminalIsNotWrittenTo() throws IOException {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        long[] nanos = {0};
        InputStream in = new ByteArrayInputStream(new byte[9]);
        Progress progress = new Progress(in, -1, new PrintStream(err), false, () -> nanos[0]);
        nanos[0] = 60_000_000_000L;
        progress.read(new byte[9]);
        progress.close();
        assertThat(err.size()).isZero();
    }
}
