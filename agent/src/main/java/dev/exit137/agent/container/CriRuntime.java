package dev.exit137.agent.container;

import com.google.gson.stream.JsonReader;
import dev.exit137.proto.cri.v1.Container;
import dev.exit137.proto.cri.v1.ContainerEventResponse;
import dev.exit137.proto.cri.v1.ContainerEventType;
import dev.exit137.proto.cri.v1.ContainerFilter;
import dev.exit137.proto.cri.v1.ContainerState;
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
import dev.exit137.proto.v1.Pod;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.util.concurrent.DefaultThreadFactory;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** containerd or CRI-O through the Container Runtime Interface. Bytes move on the agent-cri thread. */
final class CriRuntime implements ContainerRuntime {
    /** The same limit as kubelet's: on a node with many pods a list is larger than gRPC's 4 MiB. */
    private static final int MAX_MESSAGE_BYTES = 16 << 20;

    private final LabelFilter labels;
    private final Duration deadline;
    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(
            1, new DefaultThreadFactory("agent-cri", true), EpollIoHandler.newFactory());
    private final ManagedChannel channel;
    private final RuntimeServiceStub cri;
    private String runtimeName = "";

    /**
     * @param thread runs every callback
     * @param deadline for each request
     */
    CriRuntime(Path socket, LabelFilter labels, Duration deadline, Executor thread) {
        this.labels = labels;
        this.deadline = deadline;
        // The unix resolver brings its own channel type, but also a thread for each processor. Some servers reject a
        // path
        // as the authority.
        NettyChannelBuilder builder = (NettyChannelBuilder)
                Grpc.newChannelBuilder("unix://" + socket.toAbsolutePath(), InsecureChannelCredentials.create());
        channel = builder.eventLoopGroup(group)
                .overrideAuthority("localhost")
                .executor(thread)
                .maxInboundMessageSize(MAX_MESSAGE_BYTES)
                .disableRetry()
                .build();
        cri = RuntimeServiceGrpc.newStub(channel);
    }

    @Override
    public CompletableFuture<List<Identity>> list() {
        // After a failure gRPC would wait for up to two minutes before it tries to connect again.
        channel.resetConnectBackoff();
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
    public CompletableFuture<Void> watch(Consumer<String> started) {
        CompletableFuture<Void> ended = new CompletableFuture<>();
        cri.getContainerEvents(GetEventsRequest.getDefaultInstance(), new StreamObserver<>() {
            @Override
            public void onNext(ContainerEventResponse event) {
                if (event.getContainerEventType() == ContainerEventType.CONTAINER_CREATED_EVENT
                        || event.getContainerEventType() == ContainerEventType.CONTAINER_STARTED_EVENT) {
                    started.accept(event.getContainerId());
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
        channel.shutdownNow();
        try {
            channel.awaitTermination(1, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
}
