package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.cli.terminal.StopSignal;
import dev.exit137.cli.terminal.Terminal;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** One call of the command line, in this process, and what it said. */
public final class Session {
    private static final int PATIENCE_SECONDS = 60;

    public final Map<String, String> environment = new HashMap<>();
    public InstantSource clock = InstantSource.fixed(Events.INSTANT);
    public final StopSignal stop = new StopSignal(Set.of());
    private final Lines out = new Lines();
    private final Lines err = new Lines();

    public int run(String... args) {
        return run(out, args);
    }

    int run(OutputStream stdout, String... args) {
        return Main.run(terminal(stdout), args);
    }

    /** What a command would get, for a part of one. */
    Terminal terminal() {
        return terminal(out);
    }

    private Terminal terminal(OutputStream stdout) {
        return new Terminal(
                new PrintStream(stdout, false, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                environment,
                clock,
                ZoneOffset.UTC,
                stop);
    }

    /** In a thread of its own. Its exit code; a failure when it has none within minutes. */
    public CompletableFuture<Integer> start(String... args) {
        return CompletableFuture.supplyAsync(
                        () -> run(args), task -> Thread.ofPlatform().daemon().start(task))
                .orTimeout(5, TimeUnit.MINUTES);
    }

    /** The next line of stdout, waited for. */
    public String nextLine() throws InterruptedException {
        String line = out.lines.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
        assertThat(line).as("a line on stdout; stderr: %s", err.lines).isNotNull();
        return line;
    }

    /** The next line of stderr, waited for. */
    public String nextErrorLine() throws InterruptedException {
        String line = err.lines.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
        assertThat(line).as("a line on stderr").isNotNull();
        return line;
    }

    /** All that stdout holds now and was not taken yet. */
    public List<String> out() {
        return List.copyOf(out.lines);
    }

    /** All that stderr holds now and was not taken yet. */
    public List<String> err() {
        return List.copyOf(err.lines);
    }

    private static final class Lines extends OutputStream {
        final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
        private final ByteArrayOutputStream line = new ByteArrayOutputStream();

        @Override
        public synchronized void write(int b) {
            if (b == '\n') {
                lines.add(line.toString(StandardCharsets.UTF_8));
                line.reset();
            } else {
                line.write(b);
            }
        }
    }
}
