package dev.exit137.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The maximum anonymous memory of a process since the start of the watch, sampled ten times a second. */
final class MemoryWatch implements AutoCloseable {
    private static final long PERIOD_MILLIS = 100;

    private final Path status;
    private final Thread thread;
    private volatile long maxAnonKib;

    MemoryWatch(long pid) {
        status = Path.of("/proc/" + pid + "/status");
        thread = Thread.ofPlatform().daemon().name("bench-memory").start(this::watch);
    }

    private void watch() {
        try {
            while (true) {
                maxAnonKib = Math.max(maxAnonKib, anonKib());
                Thread.sleep(PERIOD_MILLIS);
            }
        } catch (InterruptedException | IOException e) {
            // The process has ended.
        }
    }

    private long anonKib() throws IOException {
        return Files.readAllLines(status).stream()
                .filter(line -> line.startsWith("RssAnon:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElse(0);
    }

    /** RssAnon of /proc/PID/status, MiB. */
    long maxAnonMib() {
        return maxAnonKib >> 10;
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
