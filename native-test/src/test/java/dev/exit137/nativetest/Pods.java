package dev.exit137.nativetest;

import dev.exit137.nativetest.cri.ContainerConfig;
import dev.exit137.nativetest.cri.ContainerMetadata;
import dev.exit137.nativetest.cri.CreateContainerRequest;
import dev.exit137.nativetest.cri.ExecSyncRequest;
import dev.exit137.nativetest.cri.ImageSpec;
import dev.exit137.nativetest.cri.LinuxContainerConfig;
import dev.exit137.nativetest.cri.LinuxContainerResources;
import dev.exit137.nativetest.cri.LinuxContainerSecurityContext;
import dev.exit137.nativetest.cri.LinuxPodSandboxConfig;
import dev.exit137.nativetest.cri.LinuxSandboxSecurityContext;
import dev.exit137.nativetest.cri.Mount;
import dev.exit137.nativetest.cri.NamespaceMode;
import dev.exit137.nativetest.cri.NamespaceOption;
import dev.exit137.nativetest.cri.PodSandboxConfig;
import dev.exit137.nativetest.cri.PodSandboxMetadata;
import dev.exit137.nativetest.cri.RemoveContainerRequest;
import dev.exit137.nativetest.cri.RemovePodSandboxRequest;
import dev.exit137.nativetest.cri.RunPodSandboxRequest;
import dev.exit137.nativetest.cri.StartContainerRequest;
import dev.exit137.nativetest.cri.StopContainerRequest;
import dev.exit137.nativetest.cri.StopPodSandboxRequest;
import io.grpc.StatusRuntimeException;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.OptionalLong;
import java.util.Queue;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Stream;

/** Makes pods as kubelet does: through CRI, each in a burstable pod's cgroup, here below a cgroup of the bed. */
final class Pods implements AutoCloseable {
    static final String NAMESPACE = "bed";
    static final int ATTEMPT = 3;
    /** The main process is killed, once its gate opens. */
    static final String EATS = "read line </bed/go; exec tail /dev/zero";
    /** Each time the gate opens, a child of the main process is killed. */
    static final String ITS_CHILD_EATS = "while read line </bed/go; do tail /dev/zero; done";
    /** A child is killed first, and the main process once the gate opens again. */
    static final String ITS_CHILD_EATS_THEN_IT_DOES = "read line </bed/go; tail /dev/zero; " + EATS;
    /** The main process eats as it starts, without a gate. */
    static final String EATS_AT_ONCE = "exec tail /dev/zero";
    /** A child of the main process holds this many bytes, and waits. */
    static final long HELD_BYTES = 40L << 20;

    static final String HOLDS = "dd if=/dev/zero bs=" + HELD_BYTES + " count=1 | sleep 1000000";
    static final String WAITS = "exec sleep 1000000";

    private static final NamespaceOption NAMESPACES = NamespaceOption.newBuilder()
            .setNetwork(NamespaceMode.NODE)
            .setPid(NamespaceMode.CONTAINER)
            .build();
    private static final Duration LIMIT = Duration.ofMinutes(3);

    /** @param cgroup the pod's, in the kernel's form */
    record Pod(String name, String uid, String cgroup, String sandbox, PodSandboxConfig config, Path gate) {}

    /** @param mainPid 0 if it was not asked for */
    record Container(Pod pod, String name, String id, int mainPid) {
        String cgroup() {
            return pod.cgroup() + "/" + id;
        }

        @Override
        public String toString() {
            return pod.name() + "/" + name + " " + id;
        }

        /** Lets the container eat memory. */
        void open() {
            Bed.openGate(pod.gate());
        }
    }

    private final Containerd containerd;
    private final Path memoryRoot;
    private final String parent;
    private final boolean isV2;
    private final Queue<Pod> made = new ConcurrentLinkedQueue<>();

    /** @param memoryRoot the hierarchy with the memory controller; @param parent of the cgroups, in the kernel's form */
    Pods(Containerd containerd, Path memoryRoot, String parent) {
        this.containerd = containerd;
        this.memoryRoot = memoryRoot;
        this.parent = parent;
        isV2 = Files.exists(memoryRoot.resolve("cgroup.controllers"));
    }

    boolean isV2() {
        return isV2;
    }

    /** Returns whether no process is left. It asks the kernel: frequent requests would slow down the runtime's work. */
    boolean isEmpty(Container container) {
        try {
            return Files.readString(Path.of(memoryRoot + container.cgroup(), "cgroup.procs"))
                    .isEmpty();
        } catch (IOException e) {
            // The cgroup is gone, too.
            return true;
        }
    }

    Pod make(String name) {
        return make(name, OptionalLong.empty());
    }

    /** @param limitBytes of the whole pod */
    Pod make(String name, OptionalLong limitBytes) {
        return make(name, limitBytes, LinuxSandboxSecurityContext.newBuilder().setNamespaceOptions(NAMESPACES));
    }

    /** Makes a pod with containers that may be privileged, and see the host's processes. */
    Pod makePrivileged(String name) {
        NamespaceOption host = NAMESPACES.toBuilder().setPid(NamespaceMode.NODE).build();
        return make(
                name,
                OptionalLong.empty(),
                LinuxSandboxSecurityContext.newBuilder()
                        .setNamespaceOptions(host)
                        .setPrivileged(true));
    }

    private Pod make(String name, OptionalLong limitBytes, LinuxSandboxSecurityContext.Builder security) {
        String uid = UUID.randomUUID().toString();
        String cgroup = parent + "/kubepods/burstable/pod" + uid;
        Path directory = containerd.directory("pods/" + uid);
        Path gate = directory.resolve("go");
        Bed.run(directory, "mkfifo", LIMIT, new ProcessBuilder("mkfifo", gate.toString()));
        if (limitBytes.isPresent()) {
            limit(cgroup, limitBytes.getAsLong());
        }
        PodSandboxConfig config = PodSandboxConfig.newBuilder()
                .setMetadata(PodSandboxMetadata.newBuilder()
                        .setName(name)
                        .setNamespace(NAMESPACE)
                        .setUid(uid))
                .setLogDirectory(directory.toString())
                .putLabels("app.kubernetes.io/name", name)
                .putLabels("not-allowed", "x")
                .setLinux(LinuxPodSandboxConfig.newBuilder()
                        .setCgroupParent(cgroup)
                        .setSecurityContext(security))
                .build();
        String sandbox = containerd
                .cri()
                .runPodSandbox(
                        RunPodSandboxRequest.newBuilder().setConfig(config).build())
                .getPodSandboxId();
        Pod pod = new Pod(name, uid, cgroup, sandbox, config, gate);
        made.add(pod);
        return pod;
    }

    private void limit(String cgroup, long bytes) {
        try {
            Path directory = Files.createDirectories(Path.of(memoryRoot + cgroup));
            if (!isV2) {
                Files.writeString(directory.resolve("memory.limit_in_bytes"), Long.toString(bytes));
                return;
            }
            Path interior = memoryRoot;
            Files.writeString(interior.resolve("cgroup.subtree_control"), "+memory");
            for (Path name : Path.of("/").relativize(Path.of(cgroup)).getParent()) {
                interior = interior.resolve(name);
                Files.writeString(interior.resolve("cgroup.subtree_control"), "+memory");
            }
            Files.writeString(directory.resolve("memory.max"), Long.toString(bytes));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** @param limitBytes 0 for none; @param script for busybox's shell */
    Container start(Pod pod, String name, long limitBytes, String script) {
        return start(pod, name, limitBytes, script, 0);
    }

    Container start(Pod pod, String name, long limitBytes, String script, int oomScoreAdj) {
        Container container = launch(pod, name, limitBytes, script, oomScoreAdj);
        return new Container(pod, name, container.id(), containerd.mainPid(container.id()));
    }

    /** As {@link #start}, for a container that may be dead at once. */
    Container launch(Pod pod, String name, long limitBytes, String script) {
        return launch(pod, name, limitBytes, script, 0);
    }

    private Container launch(Pod pod, String name, long limitBytes, String script, int oomScoreAdj) {
        return launch(pod, config(pod, name, limitBytes, script, oomScoreAdj, NAMESPACES));
    }

    /** Starts a container whose main process is not process 1 of its pid namespace: the pod's own is. */
    Container startInThePodsPids(Pod pod, String name, String script) {
        NamespaceOption shared =
                NAMESPACES.toBuilder().setPid(NamespaceMode.POD).build();
        Container container = launch(pod, config(pod, name, 0, script, 0, shared));
        return new Container(pod, name, container.id(), containerd.mainPid(container.id()));
    }

    private static ContainerConfig config(
            Pod pod, String name, long limitBytes, String script, int oomScoreAdj, NamespaceOption namespaces) {
        return command(pod, name, limitBytes, oomScoreAdj, namespaces, List.of("/bin/sh", "-c", script));
    }

    /** Makes a container that cannot start, and tries to. @return as far as it came */
    Container fail(Pod pod, String name, String program) {
        ContainerConfig config = command(pod, name, 0, 0, NAMESPACES, List.of(program));
        String id = create(pod, config);
        try {
            containerd
                    .cri()
                    .startContainer(StartContainerRequest.newBuilder()
                            .setContainerId(id)
                            .build());
            throw new AssertionError(program + " was started");
        } catch (StatusRuntimeException e) {
            return new Container(pod, name, id, 0);
        }
    }

    private static ContainerConfig command(
            Pod pod, String name, long limitBytes, int oomScoreAdj, NamespaceOption namespaces, List<String> command) {
        return ContainerConfig.newBuilder()
                .setMetadata(ContainerMetadata.newBuilder().setName(name).setAttempt(ATTEMPT))
                .setImage(ImageSpec.newBuilder().setImage(Containerd.IMAGE))
                .addAllCommand(command)
                .addMounts(Mount.newBuilder()
                        .setContainerPath("/bed")
                        .setHostPath(pod.gate().getParent().toString()))
                .setLogPath(name + ".log")
                .setLinux(LinuxContainerConfig.newBuilder()
                        .setResources(LinuxContainerResources.newBuilder()
                                .setMemoryLimitInBytes(limitBytes)
                                .setOomScoreAdj(oomScoreAdj))
                        .setSecurityContext(
                                LinuxContainerSecurityContext.newBuilder().setNamespaceOptions(namespaces)))
                .build();
    }

    /** Starts a container that may be dead at once. */
    Container launch(Pod pod, ContainerConfig config) {
        String id = create(pod, config);
        containerd
                .cri()
                .startContainer(
                        StartContainerRequest.newBuilder().setContainerId(id).build());
        return new Container(pod, config.getMetadata().getName(), id, 0);
    }

    private String create(Pod pod, ContainerConfig config) {
        return containerd
                .cri()
                .createContainer(CreateContainerRequest.newBuilder()
                        .setPodSandboxId(pod.sandbox())
                        .setSandboxConfig(pod.config())
                        .setConfig(config)
                        .build())
                .getContainerId();
    }

    /** Asks for a stop, and waits for it. */
    void stop(Container container, long graceSeconds) {
        containerd
                .cri()
                .stopContainer(StopContainerRequest.newBuilder()
                        .setContainerId(container.id())
                        .setTimeout(graceSeconds)
                        .build());
    }

    /** Does the same, and returns whether containerd took it: of a container that ends, it may not. */
    boolean tryStop(Container container, long graceSeconds) {
        try {
            stop(container, graceSeconds);
            return true;
        } catch (StatusRuntimeException e) {
            return false;
        }
    }

    /** Stops the whole pod, as kubelet does once its containers have ended. */
    void stop(Pod pod) {
        containerd
                .cri()
                .stopPodSandbox(StopPodSandboxRequest.newBuilder()
                        .setPodSandboxId(pod.sandbox())
                        .build());
    }

    /** Removes a container that may run. */
    void remove(Container container) {
        containerd
                .cri()
                .removeContainer(RemoveContainerRequest.newBuilder()
                        .setContainerId(container.id())
                        .build());
    }

    /** Runs a script in a container, to its end. @return its exit code */
    int exec(Container container, String script) {
        return containerd
                .cri()
                .execSync(ExecSyncRequest.newBuilder()
                        .setContainerId(container.id())
                        .addAllCmd(List.of("/bin/sh", "-c", script))
                        .setTimeout(LIMIT.toSeconds())
                        .build())
                .getExitCode();
    }

    /** Removes the pod with all its containers, in any state. */
    void remove(Pod pod) {
        // Like kubelet, it tries again if containerd fails on a container that is about to end.
        Bed.await("the end of pod " + pod.name(), LIMIT, () -> tryToRemove(pod), failure -> failure == null);
        made.remove(pod);
    }

    private StatusRuntimeException tryToRemove(Pod pod) {
        try {
            containerd
                    .cri()
                    .stopPodSandbox(StopPodSandboxRequest.newBuilder()
                            .setPodSandboxId(pod.sandbox())
                            .build());
            containerd
                    .cri()
                    .removePodSandbox(RemovePodSandboxRequest.newBuilder()
                            .setPodSandboxId(pod.sandbox())
                            .build());
            return null;
        } catch (StatusRuntimeException e) {
            return e;
        }
    }

    /** Ends all processes below the parent, and removes the cgroups, in every hierarchy. */
    @Override
    public void close() {
        try (Stream<Path> hierarchies = isV2 ? Stream.of(memoryRoot) : Files.list(Path.of("/sys/fs/cgroup"))) {
            hierarchies.forEach(hierarchy -> remove(new File(hierarchy + parent)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Removes a cgroup that the runtime may remove, too; a large process may outlive its entry in cgroup.procs. */
    private static void remove(File cgroup) {
        File[] below = cgroup.listFiles(File::isDirectory);
        if (below != null) {
            Stream.of(below).forEach(Pods::remove);
        }
        Bed.await(
                "the end of " + cgroup,
                LIMIT,
                () -> {
                    pids(cgroup)
                            .flatMap(pid -> ProcessHandle.of(Long.parseLong(pid)).stream())
                            .forEach(ProcessHandle::destroyForcibly);
                    return cgroup.delete() || !cgroup.exists();
                },
                isGone -> isGone);
    }

    private static Stream<String> pids(File cgroup) {
        try {
            return Files.readAllLines(cgroup.toPath().resolve("cgroup.procs")).stream();
        } catch (IOException e) {
            return Stream.empty();
        }
    }
}
