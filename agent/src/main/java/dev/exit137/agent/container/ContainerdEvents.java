package dev.exit137.agent.container;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Timestamp;
import dev.exit137.agent.exit.ContainerEnd;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.RuntimeAction;
import dev.exit137.exitreport.facts.RuntimeAction.Kind;
import dev.exit137.proto.containerd.v1.Envelope;
import dev.exit137.proto.containerd.v1.EventsGrpc;
import dev.exit137.proto.containerd.v1.SubscribeRequest;
import dev.exit137.proto.containerd.v1.TaskExit;
import dev.exit137.proto.containerd.v1.TaskOOM;
import dev.exit137.proto.containerd.v1.TaskPaused;
import dev.exit137.proto.containerd.v1.TaskStart;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.ExitSettings;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import io.grpc.ConnectivityState;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * containerd's own event stream: the ends of tasks in all of its namespaces, 6 to 16 ms after the kill. containerd keeps
 * no events: what happens while the stream is broken is found by the lists of the CRI, or not at all.
 * Agent-identity thread; {@link #status} any thread.
 */
final class ContainerdEvents {
    private static final Logger LOG = LoggerFactory.getLogger(ContainerdEvents.class);
    private static final String PLACE = "container-runtime";
    private static final int LOOK_EVERY_TICKS = 5;
    /** CRI-O has no such stream, and another runtime may take its place. */
    private static final int REFUSED_TICKS = 600;

    private static final String KUBERNETES = "k8s.io";
    static final String DOCKER = "moby";

    private final Path socket;
    private final Executor thread;
    private final Function<String, RuntimeWatcher> watchers;
    private final Plausible plausible;
    private final Guard guard;
    private @Nullable UnixChannel open;
    private boolean subscribed;
    private boolean ended;
    private int ticksToLook;
    private volatile long notUnderstood;
    private volatile boolean streams;
    /** Why there is no stream; empty while there is one, null where there can be none. */
    private volatile @Nullable String problem;

    /**
     * @param watchers the receiver of the events of a namespace
     * @param plausible tells the times that can be
     * @param thread runs every callback
     */
    ContainerdEvents(
            Path socket, Function<String, RuntimeWatcher> watchers, Plausible plausible, Executor thread, Guard guard) {
        this.socket = socket;
        this.watchers = watchers;
        this.plausible = plausible;
        this.thread = thread;
        this.guard = guard;
    }

    /** Connects, again and again; call it about once a second. */
    void tick() {
        if (ended || subscribed) {
            UnixChannel channel = open;
            if (channel != null && !streams && channel.channel().getState(false) == ConnectivityState.READY) {
                // The server sends nothing before the first event.
                streams = true;
                problem = "";
            }
            return;
        }
        if (--ticksToLook > 0) {
            return;
        }
        ticksToLook = LOOK_EVERY_TICKS;
        if (!Files.exists(socket)) {
            problem = problem == null ? null : socket + " is gone";
            return;
        }
        try {
            UnixChannel channel = open;
            if (channel == null) {
                channel = new UnixChannel(socket, "agent-containerd", thread);
                open = channel;
            }
            channel.channel().resetConnectBackoff();
            subscribe(channel);
        } catch (LinkageError | RuntimeException e) {
            guard.caught(PLACE, e);
            problem = socket + ": " + e;
        }
    }

    private void subscribe(UnixChannel channel) {
        subscribed = true;
        SubscribeRequest request = SubscribeRequest.newBuilder()
                .addFilters("topic==\"/tasks/start\"")
                .addFilters("topic==\"/tasks/exit\"")
                .addFilters("topic==\"/tasks/oom\"")
                .addFilters("topic==\"/tasks/paused\"")
                .build();
        EventsGrpc.newStub(channel.channel()).subscribe(request, new StreamObserver<>() {
            @Override
            public void onNext(Envelope event) {
                streams = true;
                problem = "";
                guard.run(PLACE, () -> read(event));
            }

            @Override
            public void onError(Throwable failure) {
                over(Status.fromThrowable(failure));
            }

            @Override
            public void onCompleted() {
                over(Status.UNAVAILABLE);
            }
        });
    }

    private void over(Status status) {
        subscribed = false;
        boolean had = streams;
        streams = false;
        if (status.getCode() == Status.Code.UNIMPLEMENTED) {
            problem = null;
            ticksToLook = REFUSED_TICKS;
            return;
        }
        ticksToLook = 1;
        problem = socket + ": the event stream ended: "
                + RuntimeFailure.of(status.asRuntimeException()).getMessage();
        if (had) {
            LOG.warn("containerd at {}: ends in the meantime may be missing", problem);
        }
    }

    private void read(Envelope event) {
        try {
            read(event, watchers.apply(event.getNamespace()));
        } catch (InvalidProtocolBufferException e) {
            nonsense(event, e.toString());
        }
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // One thread writes.
    private void nonsense(Envelope event, String what) {
        notUnderstood++;
        guard.caught(PLACE, new RuntimeFailure("containerd at " + socket + ": " + event.getTopic() + ": " + what));
    }

    private void read(Envelope event, RuntimeWatcher watcher) throws InvalidProtocolBufferException {
        Instant time = time(event.getTimestamp());
        if (!plausible.isTime(time)) {
            // What happened cannot be put in an order with the rest; a list finds an end.
            nonsense(event, "its time is " + time);
            return;
        }
        switch (event.getTopic()) {
            case "/tasks/start" -> {
                TaskStart start = TaskStart.parseFrom(event.getEvent().getValue());
                watcher.onStarted(start.getContainerId(), time, start.getPid() == 0 ? null : start.getPid());
            }
            case "/tasks/oom" ->
                watcher.onAction(
                        TaskOOM.parseFrom(event.getEvent().getValue()).getContainerId(),
                        new RuntimeAction(Kind.OOM, time, null, null));
            case "/tasks/paused" ->
                watcher.onAction(
                        TaskPaused.parseFrom(event.getEvent().getValue()).getContainerId(),
                        new RuntimeAction(Kind.PAUSE, time, null, null));
            case "/tasks/exit" -> {
                TaskExit exit = TaskExit.parseFrom(event.getEvent().getValue());
                if (exit.getContainerId().isEmpty()) {
                    nonsense(event, "it names no container");
                    return;
                }
                // The process of an exec has an id of its own, and its end is not the container's.
                if (exit.getId().equals(exit.getContainerId())) {
                    end(exit, event, watcher);
                }
            }
            default -> {
                // Not asked for.
            }
        }
    }

    private void end(TaskExit exit, Envelope event, RuntimeWatcher watcher) {
        Instant time = time(event.getTimestamp());
        if (exit.hasExitedAt()) {
            Instant exitedAt = time(exit.getExitedAt());
            if (plausible.isTime(exitedAt)) {
                time = exitedAt;
            } else {
                nonsense(event, "the end's time is " + exitedAt);
            }
        }
        long status = Integer.toUnsignedLong(exit.getExitStatus());
        Integer code = Plausible.isCode(status) ? Integer.valueOf((int) status) : null;
        if (code == null) {
            // The end is known all the same; the CRI may know its code.
            nonsense(event, "the exit code is " + status);
        }
        watcher.onAction(exit.getContainerId(), new RuntimeAction(Kind.DIE, time, null, null, code));
        watcher.onEnded(new ContainerEnd(
                Evidence.CONTAINERD,
                Container.newBuilder()
                        .setRuntime(event.getNamespace().equals(DOCKER) ? "docker" : "containerd")
                        .setId(exit.getContainerId())
                        .build(),
                time,
                time(event.getTimestamp()),
                null,
                code,
                exit.getPid() == 0 ? null : exit.getPid(),
                false,
                ExitSettings.getDefaultInstance()));
    }

    /** Returns whether the containers of a namespace are kubelet's, which the CRI knows. */
    static boolean isOfKubernetes(String namespace) {
        return namespace.equals(KUBERNETES);
    }

    private static Instant time(Timestamp timestamp) {
        try {
            return Instant.ofEpochSecond(timestamp.getSeconds(), timestamp.getNanos());
        } catch (DateTimeException | ArithmeticException e) {
            return Instant.MAX;
        }
    }

    /** Returns the state of the stream; empty where no containerd is. */
    Optional<SourceStatus> status() {
        String now = problem;
        if (now == null) {
            return Optional.empty();
        }
        long lost = notUnderstood;
        String detail = now.isEmpty() && lost > 0 ? socket + ": " + lost + " events were not understood" : now;
        return Optional.of(SourceStatus.newBuilder()
                .setName("containerd-events")
                .setState(detail.isEmpty() ? State.ACTIVE : State.DEGRADED)
                .setDetail(detail)
                .build());
    }

    /** Stops; the caller must close the returned channel. */
    Optional<UnixChannel> end() {
        ended = true;
        return Optional.ofNullable(open);
    }
}
