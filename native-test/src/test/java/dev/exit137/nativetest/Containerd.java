package dev.exit137.nativetest;

import com.google.gson.JsonParser;
import dev.exit137.nativetest.cri.PodSandboxStatusRequest;
import dev.exit137.nativetest.cri.RuntimeServiceGrpc;
import dev.exit137.nativetest.cri.RuntimeServiceGrpc.RuntimeServiceBlockingStub;
import dev.exit137.proto.cri.v1.ContainerStatusRequest;
import dev.exit137.proto.cri.v1.ContainerStatusResponse;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import jnr.constants.platform.Signal;

/**
 * A containerd on this machine, as root, with its own state and socket. It pulls nothing, and changes no configuration
 * outside of its directory. {@link #close} ends every process that it started.
 */
final class Containerd implements AutoCloseable {
    static final String IMAGE = "exit137.test/busybox:1";

    static final Path SOURCE = Bed.MODULE.resolve("src/main/containerd");
    private static final Duration LIMIT = Duration.ofMinutes(3);

    private final Path logs;
    // Not below target: the path of a unix socket has at most 107 bytes.
    private final Path directory;
    private final ManagedChannel channel;
    private Process process;

    /** Starts containerd with the one image imported. @param logs directory of the output of containerd and its tools */
    static Containerd start(Path logs) {
        Containerd containerd = new Containerd(logs);
        try {
            containerd.launch();
            Path image = containerd.directory.resolve("image.tar");
            run(logs, "image", SOURCE.resolve("image.sh").toString(), image.toString());
            containerd.importImages(image);
            return containerd;
        } catch (RuntimeException | AssertionError e) {
            containerd.close();
            throw e;
        }
    }

    private Containerd(Path logs) {
        this.logs = logs;
        try {
            directory = Files.createTempDirectory("exit137-containerd");
            String config = Files.readString(SOURCE.resolve("config.toml"))
                    .replace("@DIR@", directory.toString())
                    .replace("@RUNC@", SOURCE.resolve("runc.sh").toString());
            Files.writeString(directory.resolve("config.toml"), config);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        channel = Grpc.newChannelBuilder("unix://" + socket(), InsecureChannelCredentials.create())
                .overrideAuthority("localhost")
                .build();
    }

    /** @param archive in the format of `docker save` */
    void importImages(Path archive) {
        run(
                logs,
                "import",
                "ctr",
                "-a",
                socket().toString(),
                "-n",
                "k8s.io",
                "images",
                "import",
                "--snapshotter",
                "native",
                archive.toString());
    }

    /** Starts containerd, at first or after {@link #stop}. */
    void launch() {
        Path log = log();
        try {
            // It ends with the bed, even if the bed cannot end it.
            process = new ProcessBuilder(
                            "timeout",
                            "-k",
                            "5",
                            "3600",
                            "containerd",
                            "-c",
                            directory.resolve("config.toml").toString())
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                    .redirectErrorStream(true)
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Bed.await(
                "containerd's socket and its answer",
                LIMIT,
                () -> {
                    channel.resetConnectBackoff();
                    return Files.exists(socket()) && answers();
                },
                answered -> answered);
    }

    private boolean answers() {
        try {
            dev.exit137.proto.cri.v1.RuntimeServiceGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(5, TimeUnit.SECONDS)
                    .version(dev.exit137.proto.cri.v1.VersionRequest.getDefaultInstance());
            return true;
        } catch (io.grpc.StatusRuntimeException e) {
            return false;
        }
    }

    /** Its log, from its first start on. */
    Path log() {
        return logs.resolve("containerd.log");
    }

    Path socket() {
        return directory.resolve("containerd.sock");
    }

    /** Returns a directory that {@link #close} deletes. */
    Path directory(String name) {
        try {
            return Files.createDirectories(directory.resolve(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Returns the CRI stub, which makes and removes pods. */
    RuntimeServiceBlockingStub cri() {
        return RuntimeServiceGrpc.newBlockingStub(channel).withDeadlineAfter(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
    }

    private ContainerStatusResponse status(String container) {
        return dev.exit137.proto.cri.v1.RuntimeServiceGrpc.newBlockingStub(channel)
                .withDeadlineAfter(LIMIT.toMillis(), TimeUnit.MILLISECONDS)
                .containerStatus(ContainerStatusRequest.newBuilder()
                        .setContainerId(container)
                        .setVerbose(true)
                        .build());
    }

    boolean isRunning(String container) {
        return status(container).getStatus().getState() == dev.exit137.proto.cri.v1.ContainerState.CONTAINER_RUNNING;
    }

    /** Returns the main pid of a container that runs. */
    int mainPid(String container) {
        return JsonParser.parseString(status(container).getInfoOrThrow("info"))
                .getAsJsonObject()
                .get("pid")
                .getAsInt();
    }

    /** Returns the pid of a pod's own process, which holds its namespaces. */
    int sandboxPid(String sandbox) {
        return JsonParser.parseString(cri().podSandboxStatus(PodSandboxStatusRequest.newBuilder()
                                .setPodSandboxId(sandbox)
                                .setVerbose(true)
                                .build())
                        .getInfoOrThrow("info"))
                .getAsJsonObject()
                .get("pid")
                .getAsInt();
    }

    /** Stops containerd with SIGSTOP: it gives no answer until {@link #goOn}; its containers run. */
    void hang() {
        Signals.toChildrenOf(process, Signal.SIGSTOP);
    }

    void goOn() {
        Signals.toChildrenOf(process, Signal.SIGCONT);
    }

    /** Kills containerd and deletes its socket; its containers run. */
    void stop() {
        try {
            Signals.toChildrenOf(process, Signal.SIGKILL);
            process.waitFor();
            Files.deleteIfExists(socket());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        channel.shutdownNow();
        try {
            if (process != null) {
                Bed.end(process);
            }
            // The processes of the shims die with their cgroup; see Pods.
            RuntimeRemains.clear(logs, directory);
        } catch (Exception e) {
            throw new IllegalStateException("containerd's directory " + directory + " is left", e);
        }
    }

    private static void run(Path logs, String name, String... command) {
        Bed.Finished finished = Bed.run(logs, name, LIMIT, new ProcessBuilder(command));
        if (finished.status() != 0) {
            throw new AssertionError(String.join(" ", command) + ": " + finished.errText());
        }
    }
}
