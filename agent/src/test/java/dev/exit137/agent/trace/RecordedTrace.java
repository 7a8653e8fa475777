package dev.exit137.agent.trace;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.exitreport.facts.SentSignal;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** The kernel's trace of a recorded node (native-test/vm), read as an agent there would have read it. */
public final class RecordedTrace {
    private static final long NANOS = 1_000_000_000;

    private RecordedTrace() {}

    /**
     * Reads all signals, in their order.
     *
     * @param recording a directory; of any file system
     * @param scratch an empty directory
     * @param boot the wall clock when CLOCK_MONOTONIC was 0
     */
    public static List<SentSignal> read(Path recording, Path scratch, Instant boot) throws IOException {
        FakeTracefs tracefs = new FakeTracefs(scratch);
        copy(recording.resolve("events"), tracefs.events());
        copy(recording.resolve("proc"), tracefs.procRoot());
        linkExecutables(tracefs.procRoot());
        int cpus = 0;
        for (; Files.exists(recording.resolve("cpu" + cpus + ".pages")); cpus++) {
            String cpu = "cpu" + cpus;
            tracefs.pages(cpus, Files.readAllBytes(recording.resolve(cpu + ".pages")));
            String stats = Files.readString(recording.resolve(cpu + ".stats"));
            assertThat(stats).as("%s lost nothing", cpu).contains("\noverrun: 0\n");
            tracefs.stats(cpus, stats);
        }
        assertThat(cpus).as("processors with pages").isPositive();
        tracefs.online("0-" + (cpus - 1));
        long uptime = new BigDecimal(
                        Files.readString(recording.resolve("uptime")).strip())
                .movePointRight(9)
                .longValueExact();
        FakeTracefs.write(tracefs.procRoot().resolve("uptime"), uptime / NANOS + ".00 1.00\n");
        tracefs.nowNanos = uptime / NANOS * NANOS;
        TraceSource source = tracefs.source();
        source.open();
        assertThat(source.isOpen()).as(source.status().getDetail()).isTrue();
        tracefs.nowNanos = uptime;
        tracefs.wall = boot.plusNanos(uptime);
        source.readAll();
        source.close();
        assertThat(source.recordsMalformed()).isZero();
        assertThat(tracefs.guard.counts()).isEmpty();
        long told = Files.readAllLines(recording.resolve("trace.txt")).stream()
                .filter(line -> line.contains(": signal_generate: "))
                .count();
        assertThat(tracefs.signals)
                .as("as many signals as the kernel itself made text of")
                .hasSize((int) told);
        return tracefs.signals.stream()
                .sorted(Comparator.comparing(SentSignal::time))
                .toList();
    }

    private static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path copy = to.resolve(from.relativize(file).toString());
                Files.createDirectories(copy.getParent());
                Files.write(copy, Files.readAllBytes(file));
            }
        }
    }

    /** An archive has no links: the file has the name of the executable. */
    private static void linkExecutables(Path procRoot) throws IOException {
        try (Stream<Path> processes = Files.list(procRoot)) {
            for (Path file : processes
                    .map(process -> process.resolve("exe"))
                    .filter(Files::exists)
                    .toList()) {
                String executable = Files.readString(file).strip();
                Files.delete(file);
                if (!executable.isEmpty()) {
                    Files.createSymbolicLink(file, Path.of(executable));
                }
            }
        }
    }
}
