package dev.exit137.agent.trace;

import dev.exit137.agent.PidNamespace;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.SentSignal;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;

/**
 * A tracefs of plain files, with an instance that a predecessor left, and a procfs. The formats, pages and symbols are
 * those of a real kernel (src/test/resources/trace). One thread.
 */
final class FakeTracefs {
    /** All records of the recordings are within these moments of their machine's clock. */
    static final long BEFORE_NANOS = 12_000_000_000_000L;

    static final long AFTER_NANOS = 13_000_000_000_000L;
    static final Instant WALL = Instant.parse("2026-01-01T00:00:00Z");
    private static final int STAT_START_TICKS = 1000;

    private final Path directory;
    final List<SentSignal> signals = new ArrayList<>();
    final List<Boolean> recovered = new ArrayList<>();
    final Guard guard = new Guard();
    long nowNanos = BEFORE_NANOS;
    Instant wall = WALL;
    Runnable defect = () -> {};

    FakeTracefs(Path directory) {
        this.directory = directory;
        online("0");
        copy("header_page", events().resolve("header_page"));
        copy("signal_generate.format", events().resolve("signal/signal_generate/format"));
        copy("kernel_stack.format", events().resolve("ftrace/kernel_stack/format"));
        copy("kallsyms", procRoot().resolve("kallsyms"));
        write(procRoot().resolve("uptime"), BEFORE_NANOS / 1_000_000_000 + ".00 1.00\n");
        PidNamespace.MACHINE.of(procRoot());
        makeDirectory(stateDir());
        write(instance().resolve("trace"), "");
        write(instance().resolve("trace_clock"), "local [mono] boot\n");
        write(instance().resolve("buffer_percent"), "0\n");
        write(instance().resolve("buffer_size_kb"), "256\n");
        write(instance().resolve("tracing_on"), "1\n");
        Path event = instance().resolve("events/signal/signal_generate");
        write(event.resolve("filter"), "sig==9 || sig==15\n");
        write(event.resolve("trigger"), "stacktrace:unlimited if sig==9\n");
        write(event.resolve("enable"), "1\n");
        pages(new byte[0]);
        lost(0);
    }

    Path root() {
        return directory.resolve("tracing");
    }

    Path events() {
        return root().resolve("events");
    }

    Path procRoot() {
        return directory.resolve("proc");
    }

    Path stateDir() {
        return directory.resolve("state");
    }

    Path instance() {
        try {
            return root().resolve("instances").resolve(TraceInstance.name(stateDir()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Adds pages to the buffer of the first processor, which is the only one unless a test adds others. */
    void pages(byte[] pages) {
        pages(0, pages);
    }

    void pages(int cpu, byte[] pages) {
        Path pipe = instance().resolve("per_cpu/cpu" + cpu + "/trace_pipe_raw");
        makeDirectory(pipe.getParent());
        try {
            Files.write(pipe, pages, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** How many records the kernel says it overwrote since the instance was made. */
    void lost(long overrun) {
        stats(
                0,
                "entries: 0\noverrun: " + overrun
                        + "\ncommit overrun: 0\nbytes: 0\noldest event ts:     0.000000\nnow ts: 12422.383513\n"
                        + "dropped events: 0\nread events: 0\n");
    }

    void stats(int cpu, String stats) {
        write(instance().resolve("per_cpu/cpu" + cpu + "/stats"), stats);
    }

    /** Which processors are in use, as the kernel lists them. */
    void online(String cpus) {
        write(directory.resolve("online"), cpus + "\n");
    }

    /** A process of the fake procfs that was there before all records. */
    void process(int pid, int parent, String comm, String cgroup) {
        process(pid, parent, comm, cgroup, STAT_START_TICKS, 0);
    }

    void process(int pid, int parent, String comm, String cgroup, long startTicks, int terminal) {
        Path process = procRoot().resolve(Integer.toString(pid));
        write(process.resolve("cgroup"), cgroup);
        write(process.resolve("comm"), comm + "\n");
        write(
                process.resolve("stat"),
                pid + " (" + comm + ") S " + parent + " 1 1 " + terminal + " -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 "
                        + startTicks + " 0 0 0\n");
        write(process.resolve("status"), "Name:\t" + comm + "\nTgid:\t" + pid + "\nUid:\t1000\t0\t0\t0\n");
        write(process.resolve("loginuid"), "4294967295");
    }

    TraceSource source() {
        return source(0, registrationIsRefused());
    }

    TraceSource source(long lostBefore, Function<EpollIoHandle, IoRegistration> registrar) {
        return new TraceSource(
                new TraceSource.Settings(
                        stateDir(),
                        procRoot(),
                        List.of(root()),
                        directory.resolve("online"),
                        new SenderCommand(false),
                        lostBefore),
                (signal, isRecovered) -> {
                    signals.add(signal);
                    recovered.add(isRecovered);
                    defect.run();
                },
                registrar,
                () -> nowNanos,
                () -> wall,
                guard);
    }

    private static Function<EpollIoHandle, IoRegistration> registrationIsRefused() {
        return handle -> {
            throw new IllegalStateException("epoll does not take it");
        };
    }

    /** The recording of a scenario: whole pages. */
    static byte[] recorded(String scenario) {
        return resource(scenario + ".pages");
    }

    private static byte[] resource(String name) {
        try (InputStream in = FakeTracefs.class.getResourceAsStream("/trace/" + name)) {
            return Objects.requireNonNull(in, name).readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void copy(String name, Path to) {
        makeDirectory(to.getParent());
        try {
            Files.write(to, resource(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void write(Path file, String text) {
        makeDirectory(file.getParent());
        try {
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void makeDirectory(Path path) {
        try {
            Files.createDirectories(path);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
