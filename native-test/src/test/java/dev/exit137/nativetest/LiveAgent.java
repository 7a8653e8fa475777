package dev.exit137.nativetest;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEventsGrpc;
import dev.exit137.proto.v1.ExitFilter;
import dev.exit137.proto.v1.ListExitsRequest;
import dev.exit137.proto.v1.ListNodesRequest;
import dev.exit137.proto.v1.Losses;
import dev.exit137.proto.v1.OomEventsGrpc;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.SourceStatus;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.DoublePredicate;
import java.util.function.Predicate;
import jnr.constants.platform.Signal;

/** The product on this machine, agent and aggregator, with the events that its consumer has received so far. */
final class LiveAgent implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofMinutes(3);
    private static final Duration START_LIMIT = Duration.ofMinutes(4);

    private final String runtime;
    private final Process process;
    private final Path out;
    private final Path log;
    private final ManagedChannel channel;
    private final List<OomKillEvent> received = new ArrayList<>();
    private long parsedBytes;

    /** Starts agent and aggregator with an empty state. @param directory for their state and output */
    static LiveAgent start(Path directory, Path criSocket) {
        return start(directory, "cri", criSocket, List.of());
    }

    /** Does the same with a log of containerd, and with the state that an earlier agent left there. */
    static LiveAgent start(Path directory, Path criSocket, Path containerdLog) {
        return start(directory, "cri", criSocket, List.of("--containerd-log", containerdLog.toString()));
    }

    /** Does the same beside a Docker Engine. */
    static LiveAgent startWithDocker(Path directory, Path dockerSocket) {
        return start(directory, "docker", dockerSocket, List.of());
    }

    /** Does the same with more flags; the state of an earlier one in that directory is kept. */
    static LiveAgent startWithDocker(Path directory, Path dockerSocket, List<String> flags) {
        return start(directory, "docker", dockerSocket, flags);
    }

    /** Does the same beside a systemd, with the state that an agent before it left. */
    static LiveAgent startWithSystemd(Path directory, SystemdBed bed) {
        return start(
                directory,
                "systemd",
                List.of(
                        "--systemd-bus",
                        bed.bus().toString(),
                        "--docker-endpoint",
                        "unix://" + directory.resolve("none")),
                bed.environment());
    }

    private static LiveAgent start(Path directory, String runtime, Path socket, List<String> flags) {
        List<String> all = new ArrayList<>(List.of("--" + runtime + "-endpoint", "unix://" + socket));
        all.addAll(flags);
        return start(directory, runtime, all, Map.of());
    }

    private static LiveAgent start(
            Path directory, String runtime, List<String> flags, Map<String, String> environment) {
        LiveAgent agent;
        try {
            agent = new LiveAgent(directory, runtime, flags, environment, "127.0.0.1:" + freePort());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        try {
            Bed.await(
                    "the agent's start",
                    START_LIMIT,
                    () -> Bed.lines(agent.log),
                    lines -> lines.stream().anyMatch(line -> line.contains("watching this machine")));
            return agent;
        } catch (AssertionError e) {
            agent.close();
            throw e;
        }
    }

    /** Returns a port that was free a moment ago. */
    static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private LiveAgent(
            Path directory, String runtime, List<String> flags, Map<String, String> environment, String address)
            throws IOException {
        this.runtime = runtime;
        Files.createDirectories(directory);
        out = directory.resolve("events.jsonl");
        log = directory.resolve("run.log");
        List<String> command = new ArrayList<>(List.of(
                "timeout",
                "-k",
                "5",
                "3600",
                Bed.exit137(),
                "run",
                "-o",
                "json",
                "--node-name",
                "bed",
                "--listen",
                address,
                "--http-listen",
                "127.0.0.1:0",
                "--data-dir",
                directory.resolve("data").toString(),
                "--state-dir",
                directory.resolve("state").toString()));
        command.addAll(flags);
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(out.toFile())
                .redirectError(log.toFile());
        builder.environment().putAll(environment);
        process = builder.start();
        channel = Grpc.newChannelBuilder(address, InsecureChannelCredentials.create())
                .build();
    }

    /** Returns all revisions that have come in so far. */
    synchronized List<OomKillEvent> received() {
        try (InputStream file = Files.newInputStream(out)) {
            file.skipNBytes(parsedBytes);
            String text = new String(file.readAllBytes(), UTF_8);
            String lines = text.substring(0, text.lastIndexOf('\n') + 1);
            received.addAll(Events.parse(lines.lines().toList()).received());
            parsedBytes += lines.getBytes(UTF_8).length;
            return List.copyOf(received);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Returns the revisions of the events of this cgroup, once there is one that {@code wanted} accepts. */
    List<OomKillEvent> await(String what, String cgroup, Predicate<OomKillEvent> wanted) {
        return Bed.await(
                what,
                LIMIT,
                () -> received().stream()
                        .filter(event -> event.getCgroupPath().startsWith(cgroup))
                        .toList(),
                events -> events.stream().anyMatch(wanted));
    }

    /** Returns the ends of a container that the aggregator has, each in its highest revision. */
    List<ExitEvent> exits(String container) {
        return exits(ExitFilter.newBuilder().setContainer(container).build());
    }

    /** Does the same for a unit of systemd. */
    List<ExitEvent> exitsOfUnit(String unit) {
        return exits(ExitFilter.newBuilder().setUnit(unit).build());
    }

    /** Returns the newest ends that the aggregator has, at most a page, each in its highest revision. */
    List<ExitEvent> exits(ExitFilter filter) {
        return ExitEventsGrpc.newBlockingStub(channel)
                .withDeadlineAfter(10, TimeUnit.SECONDS)
                .listExits(ListExitsRequest.newBuilder()
                        .setFilter(filter)
                        .setPageSize(1000)
                        .build())
                .getExitsList();
    }

    /** Returns the losses that the agent has reported; an agent reports them within some seconds. */
    Losses losses() {
        return OomEventsGrpc.newBlockingStub(channel)
                .withDeadlineAfter(10, TimeUnit.SECONDS)
                .listNodes(ListNodesRequest.getDefaultInstance())
                .getNodes(0)
                .getStatus()
                .getLosses();
    }

    /** Returns {@code HOST:PORT} of the aggregator. */
    String address() {
        return channel.authority();
    }

    /** Kills agent and aggregator with SIGKILL. */
    void kill() {
        Signals.toChildrenOf(process, Signal.SIGKILL);
        Bed.await("the end of the agent", LIMIT, process::isAlive, alive -> !alive);
    }

    /** Returns the state of a source of the agent, once it has reported one. */
    Optional<SourceStatus> source(String name) {
        return OomEventsGrpc.newBlockingStub(channel)
                .withDeadlineAfter(10, TimeUnit.SECONDS)
                .listNodes(ListNodesRequest.getDefaultInstance())
                .getNodesList()
                .stream()
                .flatMap(node -> node.getStatus().getSourcesList().stream())
                .filter(source -> source.getName().equals(name))
                .findFirst();
    }

    /** Waits until Prometheus would find this value of a series; labels in the order of their names. */
    void awaitCounted(String series, double value) {
        await(series, value, found -> found == value);
    }

    /** Waits until Prometheus would find this value of a series, or more. */
    void awaitCountedAtLeast(String series, double value) {
        await(series, value, found -> found >= value);
    }

    private void await(String series, double value, DoublePredicate wanted) {
        URI metrics = URI.create(Bed.await(
                        "where metrics are",
                        LIMIT,
                        () -> Bed.lines(log),
                        lines -> lines.stream().anyMatch(line -> line.contains("/metrics")))
                .stream()
                .filter(line -> line.contains("/metrics"))
                .findFirst()
                .orElseThrow()
                .replaceFirst(".*(http://\\S+) has .*", "$1/metrics"));
        String metric = series.substring(0, series.indexOf('{') + 1);
        Bed.await(
                series + " " + value,
                LIMIT,
                () -> get(metrics).stream()
                        .filter(line -> line.startsWith(metric))
                        .toList(),
                lines -> lines.stream()
                        .filter(line -> line.startsWith(series + " "))
                        .anyMatch(line -> wanted.test(Double.parseDouble(line.substring(series.length() + 1)))));
    }

    private static List<String> get(URI page) {
        try (InputStream body = page.toURL().openStream()) {
            return new String(body.readAllBytes(), UTF_8).lines().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Waits until the agent reports this state of the runtime. */
    SourceStatus awaitRuntime(SourceStatus.State state) {
        return Bed.await(
                        "the runtime " + state,
                        LIMIT,
                        this::runtime,
                        sources -> sources.stream().anyMatch(source -> source.getState() == state))
                .getFirst();
    }

    private List<SourceStatus> runtime() {
        List<SourceStatus> sources = new ArrayList<>();
        OomEventsGrpc.newBlockingStub(channel)
                .withDeadlineAfter(10, TimeUnit.SECONDS)
                .listNodes(ListNodesRequest.getDefaultInstance())
                .getNodesList()
                .forEach(node -> sources.addAll(node.getStatus().getSourcesList()));
        sources.removeIf(source -> !source.getName().equals(runtime));
        return sources;
    }

    @Override
    public void close() {
        channel.shutdownNow();
        try {
            // timeout passes the signal on.
            process.destroy();
            if (!process.waitFor(LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
                Bed.end(process);
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
