package dev.exit137.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.exit137.agent.trace.SenderCommand;
import dev.exit137.agent.trace.TraceSource;
import dev.exit137.daemon.guard.Guard;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollIoOps;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * What the kernel's trace of signals costs: a kill(2), by turns with the trace and without; and an agent, beside another
 * one with {@code --trace=off} on the same machine at the same time. Each figure is a difference within one run.
 */
final class TraceBench {
    private static final int ROUNDS = 10;
    private static final int KILLS_PER_ROUND = 500;
    private static final int KILLS = 60;
    private static final long QUIET_MILLIS = 20_000;
    private static final long IDLE_MILLIS = 60_000;
    private static final double MIB = 1 << 20;

    private final Path root;
    private final Path work;

    TraceBench(Path root, Path work) {
        this.root = root;
        this.work = work;
    }

    List<Figure> run() throws Exception {
        List<Figure> figures = new ArrayList<>(kill());
        figures.addAll(agents());
        return figures;
    }

    // ---- a kill(2)

    private List<Figure> kill() throws Exception {
        Path killbench = work.resolve("killbench");
        output(
                "gcc",
                "-O2",
                "-o",
                killbench.toString(),
                root.resolve("native-test/src/main/c/killbench.c").toString());
        MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        try {
            IoEventLoop loop = group.next();
            double[] with = new double[ROUNDS];
            double[] without = new double[ROUNDS];
            for (int round = 0; round < ROUNDS; round++) {
                TraceSource source = source(loop);
                loop.submit(() -> {
                            source.open();
                            source.readAll();
                            source.follow();
                        })
                        .get();
                if (!source.isOpen()) {
                    return List.of(Figure.plain(
                            "trace: not measured: " + source.status().getDetail(), ""));
                }
                with[round] = medianNanos(killbench);
                loop.submit(source::remove).get();
                without[round] = medianNanos(killbench);
            }
            double added = median(with) - median(without);
            return List.of(
                    Figure.plain("a kill(2), nobody traces signals", String.format("%.1f us", median(without) / 1000)),
                    Figure.atMost("  slower by the agent's trace and its stack, median", added / 1000, 15, " us"));
        } finally {
            group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        }
    }

    private TraceSource source(IoEventLoop loop) throws IOException {
        Path state = Files.createDirectories(work.resolve("trace-state"));
        return new TraceSource(
                TraceSource.Settings.of(state, Path.of("/proc"), new SenderCommand(false), 0),
                (_, _) -> {},
                handle -> {
                    IoRegistration registration = loop.register(handle).getNow();
                    registration.submit(EpollIoOps.EPOLLIN);
                    return registration;
                },
                System::nanoTime,
                InstantSource.system(),
                new Guard());
    }

    private static double medianNanos(Path killbench) throws IOException, InterruptedException {
        return Double.parseDouble(
                output(killbench.toString(), String.valueOf(KILLS_PER_ROUND)).strip());
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
    }

    // ---- an agent

    private List<Figure> agents() throws IOException, InterruptedException {
        Process off = start("off");
        try {
            Process on = start("on");
            try {
                for (int i = 0; i < KILLS; i++) {
                    output("bash", "-c", "sleep 600 & kill -9 $!");
                    Thread.sleep(100);
                }
                Thread.sleep(QUIET_MILLIS);
                long onBefore = cpuNanos(on);
                long offBefore = cpuNanos(off);
                long begin = System.nanoTime();
                Thread.sleep(IDLE_MILLIS);
                double nanos = System.nanoTime() - begin;
                double onPercent = 100 * (cpuNanos(on) - onBefore) / nanos;
                double offPercent = 100 * (cpuNanos(off) - offBefore) / nanos;
                double onBytes = AgentProcess.anonBytes(on);
                double offBytes = AgentProcess.anonBytes(off);
                return List.of(
                        Figure.atMost(
                                "agent with the trace less one without, both idle: of a processor",
                                onPercent - offPercent,
                                0.02,
                                " %"),
                        Figure.plain("  the one without", String.format("%.3f %%", offPercent)),
                        Figure.atMost(
                                "  anonymous memory after " + KILLS + " kills", (onBytes - offBytes) / MIB, 2, " MiB"),
                        Figure.plain("  of the one without", String.format("%.1f MiB", offBytes / MIB)));
            } finally {
                AgentProcess.stop(on);
            }
        } finally {
            AgentProcess.stop(off);
        }
    }

    private Process start(String trace) throws IOException, InterruptedException {
        Path log = work.resolve("trace-" + trace + ".log");
        Files.deleteIfExists(log);
        Process agent = new ProcessBuilder(
                        root.resolve("bin/exit137").toString(),
                        "agent",
                        "--aggregator",
                        "127.0.0.1:1",
                        "--node-name",
                        "bench",
                        "--trace=" + trace,
                        "--state-dir",
                        work.resolve("trace-state-" + trace).toString())
                .redirectOutput(log.toFile())
                .redirectErrorStream(true)
                .start();
        return AgentProcess.awaitWatching(agent, log);
    }

    /** Sums all threads, from the scheduler's count (/proc/PID/task/TID/schedstat). */
    private static long cpuNanos(Process agent) throws IOException {
        try (Stream<Path> threads = Files.list(Path.of("/proc/" + agent.pid() + "/task"))) {
            return threads.mapToLong(TraceBench::threadCpuNanos).sum();
        }
    }

    private static long threadCpuNanos(Path thread) {
        try {
            return Long.parseLong(Files.readString(thread.resolve("schedstat")).split(" ")[0]);
        } catch (NoSuchFileException e) {
            return 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String output(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + " failed");
        }
        return output;
    }
}
