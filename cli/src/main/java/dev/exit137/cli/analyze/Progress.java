package dev.exit137.cli.analyze;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.LongSupplier;

/** Shows the progress in a line on the terminal, if reading a log takes long. For one thread. */
public final class Progress extends FilterInputStream {
    private static final long QUIET_NANOS = 2_000_000_000L;
    private static final long EVERY_NANOS = 200_000_000L;
    private static final double MIB = 1 << 20;

    private final long totalBytes;
    private final PrintStream err;
    private final LongSupplier nanos;
    private final boolean shown;
    private final long startNanos;
    private long nextNanos;
    private long bytes;
    private boolean onScreen;

    /** @param totalBytes size of the log; negative if it is not known */
    public Progress(InputStream in, long totalBytes, PrintStream err) {
        this(in, totalBytes, err, isTerminal(), System::nanoTime);
    }

    public Progress(InputStream in, long totalBytes, PrintStream err, boolean shown, LongSupplier nanos) {
        super(in);
        this.totalBytes = totalBytes;
        this.err = err;
        this.shown = shown;
        this.nanos = nanos;
        startNanos = nanos.getAsLong();
        nextNanos = startNanos + QUIET_NANOS;
    }

    /** Whether stderr is a terminal; System.console() covers only stdin and stdout. */
    private static boolean isTerminal() {
        try {
            String name = Files.readSymbolicLink(Path.of("/proc/self/fd/2")).toString();
            return name.startsWith("/dev/pts/") || name.startsWith("/dev/tty");
        } catch (IOException e) {
            return false;
        }
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        int count = in.read(buffer, offset, length);
        bytes += Math.max(count, 0);
        if (shown && nanos.getAsLong() - nextNanos >= 0) {
            show(nanos.getAsLong());
        }
        return count;
    }

    private void show(long now) {
        double seconds = (now - startNanos) / 1e9;
        String share = totalBytes > 0 ? " (" + Math.min(100, 100 * bytes / totalBytes) + " %)" : "";
        err.printf(Locale.ROOT, "\rread %.0f MiB%s, %.0f MiB/s\u001b[K", bytes / MIB, share, bytes / MIB / seconds);
        err.flush();
        onScreen = true;
        nextNanos = now + EVERY_NANOS;
    }

    /** Removes the line, before other output. */
    public void clear() {
        if (onScreen) {
            err.print("\r\u001b[K");
            err.flush();
            onScreen = false;
        }
    }

    @Override
    public void close() throws IOException {
        clear();
        super.close();
    }
}
