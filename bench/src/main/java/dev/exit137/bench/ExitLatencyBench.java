package dev.exit137.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEventsGrpc;
import dev.exit137.proto.v1.WatchExitsRequest;
import dev.exit137.proto.v1.WatchExitsResponse;
import io.grpc.stub.StreamObserver;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The time from a Docker Engine's own event of an end until a consumer has the {@code ExitEvent}. */
final class ExitLatencyBench {
    private static final int CONTAINERS = 20;
    private static final String IMAGE = "exit137.test/busybox:1";
    private static final long START_NANOS = TimeUnit.SECONDS.toNanos(60);
    private static final long POLL_MILLIS = 20;
    private static final String NOT_MEASURED = "Docker's event of an end to an ExitEvent: not measured, ";

    private final Path root;
    private final Path work;
    /** When a client of Docker, and a consumer, had the end of a container: System.nanoTime(). */
    private final Map<String, Long> told = new ConcurrentHashMap<>();

    private final Map<String, Long> received = new ConcurrentHashMap<>();

    ExitLatencyBench(Path root, Path work) {
        this.root = root;
        this.work = work;
    }

    List<Figure> run() throws IOException, InterruptedException {
        for (String program : List.of("dockerd", "docker", "busybox")) {
            if (!isOnPath(program)) {
                return List.of(Figure.plain(NOT_MEASURED + "there is no " + program + " on PATH", ""));
            }
        }
        // Not below the work directory: the path of a unix socket has at most 107 bytes.
        Path directory = Files.createTempDirectory("exit137-bench");
        Process engine = startEngine(directory);
        try {
            String socket = "unix://" + directory.resolve("docker.sock");
            Path image = directory.resolve("image.tar");
            output(root.resolve("native-test/src/main/containerd/image.sh").toString(), image.toString());
            output("docker", "-H", socket, "load", "-q", "-i", image.toString());
            try (AggregatorProcess aggregator = AggregatorProcess.start(root, work)) {
                return measure(socket, aggregator);
            }
        } catch (IOException e) {
            return List.of(Figure.plain(NOT_MEASURED + e.getMessage(), ""));
        } finally {
            engine.destroy();
            engine.waitFor();
            deleteTree(directory);
        }
    }

    private static boolean isOnPath(String program) {
        return Stream.of(System.getenv().getOrDefault("PATH", "").split(":"))
                .anyMatch(directory -> Files.isExecutable(Path.of(directory, program)));
    }

    private Process startEngine(Path directory) throws IOException, InterruptedException {
        Path configuration = directory.resolve("daemon.json");
        Files.writeString(configuration, "{}\n");
        Process engine = new ProcessBuilder(
                        "dockerd",
                        "--config-file",
                        configuration.toString(),
                        "-H",
                        "unix://" + directory.resolve("docker.sock"),
                        "--data-root",
                        directory.resolve("data").toString(),
                        "--exec-root",
                        directory.resolve("exec").toString(),
                        "--pidfile",
                        directory.resolve("pid").toString(),
                        "--storage-driver",
                        "vfs",
                        "--bridge=none",
                        "--iptables=false",
                        "--ip6tables=false")
                .redirectOutput(work.resolve("dockerd.log").toFile())
                .redirectErrorStream(true)
                .start();
        long begin = System.nanoTime();
        while (!Files.exists(directory.resolve("docker.sock"))) {
            if (!engine.isAlive() || System.nanoTime() - begin > START_NANOS) {
                engine.destroy();
                throw new IOException("dockerd does not start; see " + work.resolve("dockerd.log"));
            }
            Thread.sleep(POLL_MILLIS);
        }
        return engine;
    }

    private List<Figure> measure(String socket, AggregatorProcess aggregator) throws IOException, InterruptedException {
        Process agent = startAgent(socket, aggregator);
        Process events = new ProcessBuilder(
                        "docker", "-H", socket, "events", "--filter", "event=die", "--format", "{{.Actor.ID}}")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try {
            Thread.ofPlatform().daemon().start(() -> listen(events));
            watch(aggregator);
            for (int i = 0; i <= CONTAINERS; i++) {
                String id = output(
                        "docker", "-H", socket, "run", "--detach", "--network", "none", IMAGE, "/bin/sleep", "600");
                Thread.sleep(500);
                output("docker", "-H", socket, "kill", id);
                await(id);
                output("docker", "-H", socket, "rm", "--force", id);
                if (i == 0) {
                    // Both sides are warm now.
                    told.clear();
                    received.clear();
                }
            }
        } finally {
            events.destroy();
            agent.destroy();
            agent.waitFor();
        }
        double[] millis = told.entrySet().stream()
                .mapToDouble(entry -> (received.get(entry.getKey()) - entry.getValue()) / 1e6)
                .sorted()
                .toArray();
        return List.of(
                Figure.atMost(
                        "Docker's event of an end to an ExitEvent at a consumer, p50",
                        millis[millis.length / 2],
                        50,
                        " ms"),
                Figure.plain("  the slowest of " + millis.length, String.format("%.1f ms", millis[millis.length - 1])));
    }

    private Process startAgent(String socket, AggregatorProcess aggregator) throws IOException, InterruptedException {
        Path log = work.resolve("exit-latency.log");
        Files.deleteIfExists(log);
        Process agent = new ProcessBuilder(
                        root.resolve("bin/exit137").toString(),
                        "agent",
                        "--aggregator",
                        aggregator.address(),
                        "--node-name",
                        "bench",
                        "--docker-endpoint",
                        socket,
                        "--state-dir",
                        work.resolve("exit-latency-state").toString())
                .redirectOutput(log.toFile())
                .redirectErrorStream(true)
                .start();
        long begin = System.nanoTime();
        while (!Files.readString(log).contains("agent watches")) {
            if (!agent.isAlive() || System.nanoTime() - begin > START_NANOS) {
                agent.destroy();
                throw new IOException("the agent does not start; see " + log);
            }
            Thread.sleep(POLL_MILLIS);
        }
        return agent;
    }

    private void listen(Process events) {
        try (BufferedReader ids = events.inputReader(UTF_8)) {
            for (String id = ids.readLine(); id != null; id = ids.readLine()) {
                told.putIfAbsent(id, System.nanoTime());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void watch(AggregatorProcess aggregator) throws InterruptedException {
        CountDownLatch connected = new CountDownLatch(1);
        ExitEventsGrpc.newStub(aggregator.connect())
                .watchExits(WatchExitsRequest.getDefaultInstance(), new StreamObserver<>() {
                    @Override
                    public void onNext(WatchExitsResponse response) {
                        connected.countDown();
                        ExitEvent exit = response.getExit();
                        if (response.hasExit()) {
                            received.putIfAbsent(exit.getContainer().getId(), System.nanoTime());
                        }
                    }

                    @Override
                    public void onError(Throwable cause) {
                        connected.countDown();
                    }

                    @Override
                    public void onCompleted() {
                        connected.countDown();
                    }
                });
        connected.await();
    }

    private void await(String id) throws IOException, InterruptedException {
        long begin = System.nanoTime();
        while (!told.containsKey(id) || !received.containsKey(id)) {
            if (System.nanoTime() - begin > START_NANOS) {
                throw new IOException(
                        "the end of " + id + " was not told by " + (told.containsKey(id) ? "exit137" : "Docker"));
            }
            Thread.sleep(POLL_MILLIS);
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
        return output.strip();
    }

    private static void deleteTree(Path directory) throws IOException, InterruptedException {
        // An engine leaves mounts of its containers behind now and then; rm says which, and goes on.
        new ProcessBuilder("rm", "-rf", "--one-file-system", directory.toString())
                .inheritIO()
                .start()
                .waitFor();
    }
}
