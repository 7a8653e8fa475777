package dev.exit137.agent.container;

import com.google.gson.stream.JsonReader;
import dev.exit137.agent.exit.ContainerEnd;
import dev.exit137.proto.cri.v1.Container;
import dev.exit137.proto.cri.v1.ContainerEventResponse;
import dev.exit137.proto.cri.v1.ContainerFilter;
import dev.exit137.proto.cri.v1.ContainerState;
import dev.exit137.proto.cri.v1.ContainerStatus;
import dev.exit137.proto.cri.v1.ContainerStatusRequest;
import dev.exit137.proto.cri.v1.ContainerStatusResponse;
import dev.exit137.proto.cri.v1.GetEventsRequest;
import dev.exit137.proto.cri.v1.ImageSpec;
import dev.exit137.proto.cri.v1.ListContainersRequest;
import dev.exit137.proto.cri.v1.ListPodSandboxRequest;
import dev.exit137.proto.cri.v1.PodSandbox;
import dev.exit137.proto.cri.v1.PodSandboxFilter;
import dev.exit137.proto.cri.v1.PodSandboxState;
import dev.exit137.proto.cri.v1.RuntimeServiceGrpc;
import dev.exit137.proto.cri.v1.RuntimeServiceGrpc.RuntimeServiceStub;
import dev.exit137.proto.cri.v1.VersionRequest;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.ExitSettings;
import dev.exit137.proto.v1.Pod;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** containerd or CRI-O through the Container Runtime Interface. Bytes move on the agent-cri thread. */
final class CriRuntime implements ContainerRuntime {
    /** containerd's reason for a container that did not start; CRI-O has none, and no end of it. */
    private static final String START_ERROR = "StartError";

    private static final int NOT_FOUND = 127;
    private static final int NOT_EXECUTABLE = 126;
    private static final int FAILED = 128;

    private final LabelFilter labels;
    private final Plausible plausible;
    private final Duration deadline;
    private final UnixChannel socket;
    private final RuntimeServiceStub cri;
    private String runtimeName = "";

    /**
     * @param plausible tells the times that can be
     * @param thread runs every callback
     * @param deadline for each request
     */
    CriRuntime(Path socket, LabelFilter labels, Plausible plausible, Duration deadline, Executor thread) {
        this.labels = labels;
        this.plausible = plausible;
        this.deadline = deadline;
        this.socket = new UnixChannel(socket, "agent-cri", thread);
        cri = RuntimeServiceGrpc.newStub(this.socket.channel());
    }

    @Override
    public CompletableFuture<List<Identity>> list() {
        // After a failure gRPC would wait for up to two minutes before it tries to connect again.
        socket.channel().resetConnectBackoff();
        return this.call(
                        RuntimeServiceStub::version,
                        VersionRequest.newBuilder().setVersion("v1").build())
                .thenCompose(version -> {
                    runtimeName = version.getRuntimeName();
                    return call(RuntimeServiceStub::listPodSandbox, ListPodSandboxRequest.getDefaultInstance());
                })
                .thenCompose(sandboxes -> call(
                                RuntimeServiceStub::listContainers, ListContainersRequest.getDefaultInstance())
                        .thenApply(containers -> join(sandboxes.getItemsList(), containers.getContainersList())));
    }

    private List<Identity> join(List<PodSandbox> sandboxes, List<Container> containers) {
        Map<String, PodSandbox> byId = new HashMap<>();
        List<Identity> identities = new ArrayList<>();
        for (PodSandbox sandbox : sandboxes) {
            byId.put(sandbox.getId(), sandbox);
            identities.add(ofSandbox(sandbox));
        }
        for (Container container : containers) {
            identities.add(ofContainer(container, byId.get(container.getPodSandboxId()), null));
        }
        return identities;
    }

    @Override
    public CompletableFuture<Optional<Identity>> ask(String id) {
        ListContainersRequest request = ListContainersRequest.newBuilder()
                .setFilter(ContainerFilter.newBuilder().setId(id))
                .build();
        return call(RuntimeServiceStub::listContainers, request).thenCompose(list -> {
            Optional<Container> found = list.getContainersList().stream()
                    .filter(container -> container.getId().equals(id))
                    .findFirst();
            if (found.isEmpty()) {
                // The sandbox: the pod's own container, which holds its namespaces.
                return sandbox(id).thenApply(sandbox -> sandbox.map(this::ofSandbox));
            }
            Container container = found.get();
            return sandbox(container.getPodSandboxId())
                    .thenCombine(
                            status(id),
                            (sandbox, status) ->
                                    Optional.of(ofContainer(container, sandbox.orElse(null), status.orElse(null))));
        });
    }

    private CompletableFuture<Optional<PodSandbox>> sandbox(String id) {
        ListPodSandboxRequest request = ListPodSandboxRequest.newBuilder()
                .setFilter(PodSandboxFilter.newBuilder().setId(id))
                .build();
        return call(RuntimeServiceStub::listPodSandbox, request)
                .thenApply(list -> list.getItemsList().stream()
                        .filter(sandbox -> sandbox.getId().equals(id))
                        .findFirst());
    }

    /** Empty for a container that was removed after it was listed. */
    private CompletableFuture<Optional<ContainerStatusResponse>> status(String id) {
        ContainerStatusRequest request = ContainerStatusRequest.newBuilder()
                .setContainerId(id)
                .setVerbose(true)
                .build();
        return call(RuntimeServiceStub::containerStatus, request)
                .handle((status, failure) -> {
                    if (failure == null) {
                        return CompletableFuture.completedFuture(Optional.of(status));
                    }
                    return failure instanceof RuntimeFailure refused && refused.code() == Status.Code.NOT_FOUND
                            ? CompletableFuture.completedFuture(Optional.<ContainerStatusResponse>empty())
                            : CompletableFuture.<Optional<ContainerStatusResponse>>failedFuture(failure);
                })
                .thenCompose(answer -> answer);
    }

    private Identity ofContainer(
            Container container, @Nullable PodSandbox sandbox, @Nullable ContainerStatusResponse status) {
        ContainerState state =
                status == null ? container.getState() : status.getStatus().getState();
        String image = status == null ? "" : reference(status.getStatus().getImage());
        dev.exit137.proto.v1.Container.Builder named = dev.exit137.proto.v1.Container.newBuilder()
                .setRuntime(runtimeName)
                .setId(container.getId())
                .setName(container.getMetadata().getName())
                .setAttempt(container.getMetadata().getAttempt())
                .setImage(image.isEmpty() ? reference(container.getImage()) : image);
        if (sandbox != null) {
            named.setPod(pod(sandbox));
        }
        return new Identity(
                named.build(),
                Map.of(),
                state == ContainerState.CONTAINER_CREATED || state == ContainerState.CONTAINER_RUNNING,
                status == null ? null : pid(status.getInfoOrDefault("info", "")).orElse(null),
                null);
    }

    private Identity ofSandbox(PodSandbox sandbox) {
        return new Identity(
                dev.exit137.proto.v1.Container.newBuilder()
                        .setRuntime(runtimeName)
                        .setId(sandbox.getId())
                        .setPod(pod(sandbox))
                        .build(),
                Map.of(),
                sandbox.getState() == PodSandboxState.SANDBOX_READY,
                null,
                null);
    }

    private Pod pod(PodSandbox sandbox) {
        return Pod.newBuilder()
                .setName(sandbox.getMetadata().getName())
                .setNamespace(sandbox.getMetadata().getNamespace())
                .setUid(sandbox.getMetadata().getUid())
                .putAllLabels(labels.keep(sandbox.getLabelsMap()))
                .build();
    }

    private static String reference(ImageSpec image) {
        return image.getUserSpecifiedImage().isEmpty() ? image.getImage() : image.getUserSpecifiedImage();
    }

    /**
     * Reads {@code {"sandboxID":"…","pid":1234,…,"runtimeSpec":{…}}}. It skips all other fields, the environment of the
     * container among them.
     */
    static Optional<Integer> pid(String info) {
        try (JsonReader json = new JsonReader(new StringReader(info))) {
            json.beginObject();
            while (json.hasNext()) {
                if (json.nextName().equals("pid")) {
                    int pid = json.nextInt();
                    return pid > 0 ? Optional.of(pid) : Optional.empty();
                }
                json.skipValue();
            }
            return Optional.empty();
        } catch (IOException | IllegalStateException | NumberFormatException e) {
            return Optional.empty();
        }
    }

    @Override
    public CompletableFuture<Optional<ContainerEnd>> askEnd(String id) {
        return status(id).thenCompose(status -> {
            String nonsense = status.map(answer -> nonsense(answer.getStatus())).orElse("");
            return nonsense.isEmpty()
                    ? CompletableFuture.completedFuture(status.flatMap(answer -> end(answer.getStatus())))
                    : CompletableFuture.failedFuture(new RuntimeFailure("container " + id + ": " + nonsense));
        });
    }

    /** Returns what a status says of an end that cannot be; empty if it can, or if there is no end. */
    private String nonsense(ContainerStatus status) {
        if (status.getState() != ContainerState.CONTAINER_EXITED || status.getFinishedAt() <= 0) {
            return "";
        }
        Instant ended = Instant.ofEpochSecond(0, status.getFinishedAt());
        if (!plausible.isTime(ended)) {
            return "it ended at " + ended;
        }
        return Plausible.isCode(status.getExitCode()) ? "" : "its exit code is " + status.getExitCode();
    }

    /** Returns the end that a status tells of; empty if the container has not ended. */
    private Optional<ContainerEnd> end(ContainerStatus status) {
        if (status.getState() != ContainerState.CONTAINER_EXITED || status.getFinishedAt() <= 0) {
            return Optional.empty();
        }
        dev.exit137.proto.v1.Container container = dev.exit137.proto.v1.Container.newBuilder()
                .setRuntime(runtimeName)
                .setId(status.getId())
                .setName(status.getMetadata().getName())
                .setAttempt(status.getMetadata().getAttempt())
                .setImage(reference(status.getImage()))
                .build();
        ExitSettings.Builder settings = ExitSettings.newBuilder();
        if (status.hasResources() && status.getResources().hasLinux()) {
            long limit = status.getResources().getLinux().getMemoryLimitInBytes();
            settings.setMemoryLimitBytes(limit <= 0 ? -1 : limit)
                    .setOomScoreAdj((int) status.getResources().getLinux().getOomScoreAdj());
        }
        Instant ended = Instant.ofEpochSecond(0, status.getFinishedAt());
        return Optional.of(new ContainerEnd(
                Evidence.CRI,
                container,
                ended,
                ended,
                status.getStartedAt() <= 0 ? null : Instant.ofEpochSecond(0, status.getStartedAt()),
                status.getExitCode(),
                null,
                status.getReason().equals("OOMKilled"),
                settings.build(),
                START_ERROR.equals(status.getReason()) ? startFailure(status.getMessage()) : null));
    }

    /**
     * Returns the code by which Docker and a shell would name a failure to start, whose own code is 128: 127 and 126 for
     * runc's words about the program ({@code exec: "/no/such": stat /no/such: no such file or directory}), as dockerd reads
     * them (daemon/start.go, translateContainerdStartErr).
     */
    private static int startFailure(String message) {
        int exec = message.lastIndexOf("exec: \"");
        String said = exec < 0 ? "" : message.substring(exec);
        if (said.contains("no such file or directory") || said.contains("executable file not found")) {
            return NOT_FOUND;
        }
        return said.contains("permission denied") || said.contains("is a directory") ? NOT_EXECUTABLE : FAILED;
    }

    @Override
    public CompletableFuture<Void> watch(RuntimeWatcher watcher) {
        CompletableFuture<Void> ended = new CompletableFuture<>();
        cri.getContainerEvents(GetEventsRequest.getDefaultInstance(), new StreamObserver<>() {
            @Override
            public void onNext(ContainerEventResponse event) {
                String id = event.getContainerId();
                switch (event.getContainerEventType()) {
                    case CONTAINER_CREATED_EVENT, CONTAINER_STARTED_EVENT -> watcher.onAppeared(id);
                    case CONTAINER_STOPPED_EVENT ->
                        event.getContainersStatusesList().stream()
                                // The stop of a sandbox comes with the ends of all its containers.
                                .filter(status -> status.getId().equals(id))
                                .findFirst()
                                .ifPresent(status -> ended(status, watcher));
                    case CONTAINER_DELETED_EVENT, UNRECOGNIZED -> {
                        // It says nothing about an end.
                    }
                }
            }

            @Override
            public void onError(Throwable failure) {
                if (Status.fromThrowable(failure).getCode() == Status.Code.UNAVAILABLE) {
                    ended.complete(null);
                } else {
                    ended.completeExceptionally(RuntimeFailure.of(failure));
                }
            }

            @Override
            public void onCompleted() {
                ended.complete(null);
            }
        });
        return ended;
    }

    private void ended(ContainerStatus status, RuntimeWatcher watcher) {
        String nonsense = nonsense(status);
        if (nonsense.isEmpty()) {
            end(status).ifPresent(watcher::onEnded);
        } else {
            watcher.onNonsense("container " + status.getId() + ": " + nonsense);
        }
    }

    /** One method of the stub, with its answer as a future. */
    private interface Method<Q, A> {
        void call(RuntimeServiceStub stub, Q request, StreamObserver<A> answer);
    }

    private <Q, A> CompletableFuture<A> call(Method<Q, A> method, Q request) {
        CompletableFuture<A> future = new CompletableFuture<>();
        method.call(cri.withDeadlineAfter(deadline.toMillis(), TimeUnit.MILLISECONDS), request, new StreamObserver<>() {
            @Override
            public void onNext(A answer) {
                future.complete(answer);
            }

            @Override
            public void onError(Throwable failure) {
                future.completeExceptionally(RuntimeFailure.of(failure));
            }

            @Override
            public void onCompleted() {
                future.completeExceptionally(new RuntimeFailure("it answers nothing"));
            }
        });
        return future;
    }

    @Override
    public void close() {
        socket.close();
    }
}
