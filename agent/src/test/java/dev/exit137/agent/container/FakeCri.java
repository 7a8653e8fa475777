package dev.exit137.agent.container;

import dev.exit137.proto.containerd.v1.Envelope;
import dev.exit137.proto.containerd.v1.EventsGrpc;
import dev.exit137.proto.containerd.v1.SubscribeRequest;
import dev.exit137.proto.cri.v1.Container;
import dev.exit137.proto.cri.v1.ContainerEventResponse;
import dev.exit137.proto.cri.v1.ContainerEventType;
import dev.exit137.proto.cri.v1.ContainerMetadata;
import dev.exit137.proto.cri.v1.ContainerState;
import dev.exit137.proto.cri.v1.ContainerStatus;
import dev.exit137.proto.cri.v1.ContainerStatusRequest;
import dev.exit137.proto.cri.v1.ContainerStatusResponse;
import dev.exit137.proto.cri.v1.GetEventsRequest;
import dev.exit137.proto.cri.v1.ImageSpec;
import dev.exit137.proto.cri.v1.ListContainersRequest;
import dev.exit137.proto.cri.v1.ListContainersResponse;
import dev.exit137.proto.cri.v1.ListPodSandboxRequest;
import dev.exit137.proto.cri.v1.ListPodSandboxResponse;
import dev.exit137.proto.cri.v1.PodSandbox;
import dev.exit137.proto.cri.v1.PodSandboxMetadata;
import dev.exit137.proto.cri.v1.RuntimeServiceGrpc;
import dev.exit137.proto.cri.v1.VersionRequest;
import dev.exit137.proto.cri.v1.VersionResponse;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/** A runtime on a unix socket that knows what a test says, and answers, keeps silent or is away as it says. */
public final class FakeCri implements AutoCloseable {
    private final Path socket;
    private final Map<String, PodSandbox> sandboxes = new ConcurrentHashMap<>();
    private final Map<String, Container> containers = new ConcurrentHashMap<>();
    private final Map<String, String> infos = new ConcurrentHashMap<>();
    private final Set<StreamObserver<ContainerEventResponse>> watchers = ConcurrentHashMap.newKeySet();
    private final AtomicInteger statuses = new AtomicInteger();
    private final AtomicInteger unanswered = new AtomicInteger();
    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final Map<String, ContainerStatus> exited = new ConcurrentHashMap<>();
    private final Set<StreamObserver<Envelope>> subscribers = ConcurrentHashMap.newKeySet();
    private volatile boolean isContainerd;
    private volatile boolean silent;
    private volatile boolean hasEvents;
    private Server server;

    public FakeCri(Path socket) {
        this.socket = socket;
    }

    /** From now on it is there. */
    public void start() {
        try {
            server = NettyServerBuilder.forAddress(new DomainSocketAddress(socket.toFile()))
                    .bossEventLoopGroup(group)
                    .workerEventLoopGroup(group)
                    .channelType(EpollServerDomainSocketChannel.class)
                    .directExecutor()
                    .addService(new Service())
                    .addService(new Events())
                    .build()
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** As a runtime that is stopped: its socket goes with it. */
    void stop() throws InterruptedException {
        server.shutdownNow().awaitTermination();
        server = null;
        try {
            Files.deleteIfExists(socket);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Whether questions are taken and never answered, as by a process that SIGSTOP halted. */
    public void keepSilent(boolean now) {
        silent = now;
    }

    public int unanswered() {
        return unanswered.get();
    }

    /** How often the state of one container was asked for. */
    public int statuses() {
        return statuses.get();
    }

    void serveEvents() {
        hasEvents = true;
    }

    int watchers() {
        return watchers.size();
    }

    public void sandbox(String id, String podName, Map<String, String> labels) {
        sandboxes.put(
                id,
                PodSandbox.newBuilder()
                        .setId(id)
                        .setMetadata(PodSandboxMetadata.newBuilder()
                                .setName(podName)
                                .setNamespace("shop")
                                .setUid("uid-of-" + podName))
                        .putAllLabels(labels)
                        .build());
    }

    public void container(String id, String sandbox, String name, int attempt, ContainerState state, int pid) {
        infos.put(
                id,
                "{\"sandboxID\":\"" + sandbox + "\",\"pid\":" + pid + ",\"config\":{\"envs\":[{\"key\":\"pid\"}]}}");
        containers.put(
                id,
                Container.newBuilder()
                        .setId(id)
                        .setPodSandboxId(sandbox)
                        .setMetadata(
                                ContainerMetadata.newBuilder().setName(name).setAttempt(attempt))
                        .setImage(ImageSpec.newBuilder().setImage("sha256:0123"))
                        .setState(state)
                        .build());
    }

    void remove(String id) {
        containers.remove(id);
        sandboxes.remove(id);
    }

    void tell(ContainerEventType type, String id, ContainerStatus... ofItsPod) {
        watchers.forEach(watcher -> watcher.onNext(ContainerEventResponse.newBuilder()
                .setContainerId(id)
                .setContainerEventType(type)
                .addAllContainersStatuses(List.of(ofItsPod))
                .build()));
    }

    /** From now on the container has ended. @return what the runtime says of it */
    ContainerStatus exits(String id, int code, String reason, Instant finished) {
        Container ended = containers.get(id).toBuilder()
                .setState(ContainerState.CONTAINER_EXITED)
                .build();
        ContainerStatus status = status(ended).toBuilder()
                .setMetadata(ended.getMetadata())
                .setStartedAt(nanos(finished) - 1_000_000_000)
                .setFinishedAt(nanos(finished))
                .setExitCode(code)
                .setReason(reason)
                .build();
        exited.put(id, status);
        containers.put(id, ended);
        return status;
    }

    private static long nanos(Instant time) {
        return time.getEpochSecond() * 1_000_000_000 + time.getNano();
    }

    private static ContainerStatus status(Container container) {
        return ContainerStatus.newBuilder()
                .setId(container.getId())
                .setState(container.getState())
                .setImage(ImageSpec.newBuilder()
                        .setImage("docker.io/library/" + container.getMetadata().getName()))
                .build();
    }

    /** As containerd: it has events of its own, too. */
    void serveContainerdEvents() {
        isContainerd = true;
    }

    int subscribers() {
        return subscribers.size();
    }

    void tell(Envelope event) {
        subscribers.forEach(subscriber -> subscriber.onNext(event));
    }

    private final class Events extends EventsGrpc.EventsImplBase {
        @Override
        public void subscribe(SubscribeRequest request, StreamObserver<Envelope> observer) {
            if (isContainerd) {
                subscribers.add(observer);
            } else {
                observer.onError(Status.UNIMPLEMENTED.asRuntimeException());
            }
        }
    }

    private final class Service extends RuntimeServiceGrpc.RuntimeServiceImplBase {
        private <A> void answer(StreamObserver<A> observer, A answer) {
            if (silent) {
                unanswered.incrementAndGet();
                return;
            }
            observer.onNext(answer);
            observer.onCompleted();
        }

        @Override
        public void version(VersionRequest request, StreamObserver<VersionResponse> observer) {
            answer(
                    observer,
                    VersionResponse.newBuilder().setRuntimeName("containerd").build());
        }

        @Override
        public void listPodSandbox(ListPodSandboxRequest request, StreamObserver<ListPodSandboxResponse> observer) {
            ListPodSandboxResponse.Builder list = ListPodSandboxResponse.newBuilder();
            String prefix = request.getFilter().getId();
            sandboxes.values().stream()
                    .filter(each -> each.getId().startsWith(prefix))
                    .forEach(list::addItems);
            answer(observer, list.build());
        }

        @Override
        public void listContainers(ListContainersRequest request, StreamObserver<ListContainersResponse> observer) {
            ListContainersResponse.Builder list = ListContainersResponse.newBuilder();
            String prefix = request.getFilter().getId();
            containers.values().stream()
                    .filter(each -> each.getId().startsWith(prefix))
                    .forEach(list::addContainers);
            answer(observer, list.build());
        }

        @Override
        public void containerStatus(ContainerStatusRequest request, StreamObserver<ContainerStatusResponse> observer) {
            statuses.incrementAndGet();
            Container container = containers.get(request.getContainerId());
            if (container == null) {
                observer.onError(Status.NOT_FOUND.asRuntimeException());
                return;
            }
            answer(
                    observer,
                    ContainerStatusResponse.newBuilder()
                            .setStatus(exited.getOrDefault(container.getId(), status(container)))
                            .putInfo("info", infos.get(container.getId()))
                            .build());
        }

        @Override
        public void getContainerEvents(GetEventsRequest request, StreamObserver<ContainerEventResponse> observer) {
            if (hasEvents) {
                watchers.add(observer);
            } else {
                observer.onError(Status.UNIMPLEMENTED.asRuntimeException());
            }
        }
    }

    @Override
    public void close() throws InterruptedException {
        if (server != null) {
            stop();
        }
        group.shutdownGracefully(0, 0, java.util.concurrent.TimeUnit.SECONDS);
    }
}
