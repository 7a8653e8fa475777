package dev.exit137.nativetest;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import jnr.constants.platform.Signal;

/**
 * A Docker Engine on this machine, as root, with its own state and socket, and no network. It pulls nothing. It starts
 * its own containerd. {@link #close} ends every process that it started.
 */
final class DockerEngine implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofMinutes(2);

    private final Path logs;
    // Not below target: the path of a unix socket has at most 107 bytes.
    private final Path directory;
    private Process process;

    /** @param mainPid 0 if it was not asked for */
    record Container(String name, String id, int mainPid, Path gate) {
        /** Returns the cgroup's path in the kernel's form. */
        String cgroup() {
            return "/docker/" + id;
        }

        /** Lets the container eat memory. */
        void open() {
            Bed.openGate(gate);
        }
    }

    /** Starts the engine with the one image loaded. @param logs directory of the output of the engine and its tools */
    static DockerEngine start(Path logs) {
        DockerEngine engine = new DockerEngine(logs);
        try {
            engine.launch();
            Path image = engine.directory.resolve("image.tar");
            engine.run(Containerd.SOURCE.resolve("image.sh").toString(), image.toString());
            engine.docker("load", "-i", image.toString());
            return engine;
        } catch (RuntimeException | AssertionError e) {
            engine.close();
            throw e;
        }
    }

    private DockerEngine(Path logs) {
        this.logs = logs;
        try {
            directory = Files.createTempDirectory("exit137-docker");
            Files.writeString(directory.resolve("daemon.json"), "{}\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void launch() {
        Path log = logs.resolve("dockerd.log");
        try {
            // It ends with the bed, even if the bed cannot end it.
            process = new ProcessBuilder(
                            "timeout",
                            "-k",
                            "5",
                            "3600",
                            "dockerd",
                            "--config-file",
                            directory.resolve("daemon.json").toString(),
                            "-H",
                            "unix://" + socket(),
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
                            "--ip6tables=false",
                            "--live-restore")
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                    .redirectErrorStream(true)
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Bed.await(
                "dockerd's answer",
                LIMIT,
                () -> {
                    if (!process.isAlive()) {
                        throw new AssertionError(
                                "dockerd has ended: " + Bed.lines(log).getLast());
                    }
                    return command("docker", "-H", "unix://" + socket(), "version")
                            .status();
                },
                status -> status == 0);
    }

    Path socket() {
        return directory.resolve("docker.sock");
    }

    /** @param options of {@code docker run}; @param script of busybox's shell */
    Container start(String name, String script, String... options) {
        Container container = launch(name, script, options);
        String pid = docker("inspect", "--format", "{{.State.Pid}}", container.id());
        return new Container(name, container.id(), Integer.parseInt(pid), container.gate());
    }

    /** As {@link #start}, for a container that may be dead at once. */
    Container launch(String name, String script, String... options) {
        Path gate;
        try {
            gate = Files.createDirectories(directory.resolve("gates/" + UUID.randomUUID()))
                    .resolve("go");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        run("mkfifo", gate.toString());
        List<String> command = new ArrayList<>(List.of(
                "run", "--detach", "--name", name, "--network", "none", "--volume", gate.getParent() + ":/bed"));
        command.addAll(List.of(options));
        command.addAll(List.of(Containerd.IMAGE, "/bin/sh", "-c", script));
        return new Container(name, docker(command.toArray(String[]::new)), 0, gate);
    }

    boolean isRunning(Container container) {
        return isRunning(container.id());
    }

    /** @param container name or id */
    boolean isRunning(String container) {
        return docker("inspect", "--format", "{{.State.Running}}", container).equals("true");
    }

    /** Returns the socket of the engine's own containerd. */
    Path containerdSocket() {
        return directory.resolve("exec/containerd/containerd.sock");
    }

    /** Removes the container in any state. */
    void remove(Container container) {
        docker("rm", "--force", container.id());
    }

    /** Stops the engine with SIGSTOP: it gives no answer until {@link #goOn}; its containers run. */
    void hang() {
        Signals.toChildrenOf(process, Signal.SIGSTOP);
    }

    void goOn() {
        Signals.toChildrenOf(process, Signal.SIGCONT);
    }

    /** Kills the engine and starts it again; its containers run on. */
    void restart() {
        Signals.toChildrenOf(process, Signal.SIGKILL);
        try {
            process.waitFor();
            // The engine's containerd dies with it, and counts as alive until its parent reaps it.
            Files.deleteIfExists(directory.resolve("exec/containerd/containerd.pid"));
        } catch (InterruptedException | IOException e) {
            throw new IllegalStateException(e);
        }
        launch();
    }

    /** Runs a command of the client, and returns the first line of its output. It must succeed. */
    String docker(String... arguments) {
        List<String> command = new ArrayList<>(List.of("docker", "-H", "unix://" + socket()));
        command.addAll(List.of(arguments));
        List<String> lines = run(command.toArray(String[]::new)).outLines();
        return lines.isEmpty() ? "" : lines.getFirst();
    }

    private Bed.Finished run(String... command) {
        Bed.Finished finished = command(command);
        if (finished.status() != 0) {
            throw new AssertionError(String.join(" ", command) + ": " + finished.errText());
        }
        return finished;
    }

    /** Runs a command of the client that may fail. */
    int tryDocker(String... arguments) {
        List<String> command = new ArrayList<>(List.of("docker", "-H", "unix://" + socket()));
        command.addAll(List.of(arguments));
        return command(command.toArray(String[]::new)).status();
    }

    private Bed.Finished command(String... command) {
        return Bed.run(logs, Path.of(command[0]).getFileName().toString(), LIMIT, new ProcessBuilder(command));
    }

    @Override
    public void close() {
        try {
            if (process != null && process.isAlive()) {
                for (String id : command("docker", "-H", "unix://" + socket(), "ps", "--quiet", "--all")
                        .outLines()) {
                    docker("rm", "--force", id);
                }
                // timeout passes the signal on; the engine ends its containerd.
                process.destroy();
                process.waitFor();
            }
            RuntimeRemains.clear(logs, directory);
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException("the engine's directory " + directory + " is left", e);
        }
    }
}
