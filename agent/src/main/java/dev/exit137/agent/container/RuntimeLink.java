package dev.exit137.agent.container;

import dev.exit137.agent.exit.ContainerEnd;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.RuntimeAction;
import dev.exit137.proto.v1.SourceStatus;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One socket at which a runtime may listen. The link looks for the socket, lists the containers again and again, and
 * reconnects after a failure. Agent-identity thread; {@link #status} any thread.
 */
final class RuntimeLink {
    private static final Logger LOG = LoggerFactory.getLogger(RuntimeLink.class);
    private static final String PLACE = "container-runtime";
    /** A list finds the containers that the cgroups and the event stream missed. */
    private static final int LIST_EVERY_TICKS = 5;
    /** Most of the usual places have no socket, and an idle agent must use little CPU time. */
    private static final int LOOK_EVERY_TICKS = 5;

    /** Receives the containers of a link. */
    interface Listener {
        /** The runtime answers, perhaps for the first time in a while; these are all of its containers. */
        void onListed(RuntimeLink link, List<Identity> identities);

        /** Returns the receiver of what the runtime says from now on; a new one for each stream. */
        RuntimeWatcher watcher(RuntimeLink link);
    }

    private final String kind;
    private final Path socket;
    private final Function<Path, ContainerRuntime> opener;
    private final Listener listener;
    private final Guard guard;
    private @Nullable ContainerRuntime runtime;
    private boolean listing;
    private boolean watching;
    private boolean hasNoEvents;
    private boolean answered;
    private boolean refuses;
    private int ticksToLook;
    private int ticksToList;
    /** The reason of the failure; empty while the runtime answers, null while there is no socket. */
    private volatile @Nullable String problem;

    private volatile boolean everAnswered;
    private volatile boolean streams;
    private volatile long notUnderstood;

    /**
     * @param kind name of the source: {@code cri}, {@code docker}
     * @param guard of this process
     */
    RuntimeLink(String kind, Path socket, Function<Path, ContainerRuntime> opener, Listener listener, Guard guard) {
        this.kind = kind;
        this.socket = socket;
        this.opener = opener;
        this.listener = listener;
        this.guard = guard;
    }

    String kind() {
        return kind;
    }

    Path socket() {
        return socket;
    }

    /** Returns the runtime, or null while it does not answer. */
    @Nullable
    ContainerRuntime runtime() {
        return answered ? runtime : null;
    }

    /** Returns whether there is a socket. */
    boolean isPresent() {
        return problem != null;
    }

    /** Returns whether the runtime has a socket, fails, and may be back. */
    boolean isOut() {
        return isPresent() && !answered && !refuses;
    }

    /** Looks for the socket, or lists the containers, when it is time; call it about once a second. */
    void tick() {
        if (runtime == null && --ticksToLook <= 0) {
            ticksToLook = LOOK_EVERY_TICKS;
            if (Files.exists(socket)) {
                open();
            }
        }
        if (runtime != null && !listing && (!answered || --ticksToList <= 0)) {
            list(runtime);
        }
    }

    private void open() {
        try {
            runtime = opener.apply(socket);
            problem = "it has not answered yet";
        } catch (LinkageError e) {
            problem = "unix sockets cannot be used here: " + e;
        } catch (RuntimeException e) {
            guard.caught(PLACE, e);
            problem = "it cannot be connected to: " + e;
        }
    }

    private void list(ContainerRuntime present) {
        listing = true;
        asked(present::list)
                .whenComplete((identities, failure) -> guard.run(PLACE, () -> listed(present, identities, failure)));
    }

    private void listed(ContainerRuntime present, List<Identity> identities, @Nullable Throwable failure) {
        listing = false;
        if (failure != null) {
            out(counted(failure));
            return;
        }
        ticksToList = LIST_EVERY_TICKS;
        if (!answered) {
            LOG.info("{} at {} answers: {} containers and sandboxes", kind, socket, identities.size());
        }
        answered = true;
        everAnswered = true;
        problem = "";
        watch(present);
        listener.onListed(this, identities);
    }

    /** Returns the answer of a runtime; a failed future if the runtime throws instead. */
    private static <A> CompletableFuture<A> asked(Supplier<CompletableFuture<A>> question) {
        try {
            return question.get();
        } catch (Throwable e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /** Asks about one container, as {@link ContainerRuntime#ask}; call it only while there is a {@link #runtime}. */
    CompletableFuture<Optional<Identity>> ask(String id) {
        return asked(() -> Objects.requireNonNull(runtime).ask(id));
    }

    /** Asks about a container's end, as {@link ContainerRuntime#askEnd}; fails while there is no {@link #runtime}. */
    CompletableFuture<Optional<ContainerEnd>> askEnd(String id) {
        ContainerRuntime present = runtime();
        return present == null
                ? CompletableFuture.failedFuture(RuntimeFailure.outage("it does not answer"))
                : asked(() -> present.askEnd(id));
    }

    private void watch(ContainerRuntime present) {
        if (watching || hasNoEvents) {
            return;
        }
        watching = true;
        streams = true;
        asked(() -> present.watch(new Guarded(listener.watcher(this)))).whenComplete((ended, failure) -> {
            watching = false;
            streams = false;
            hasNoEvents = failure != null && counted(failure) instanceof RuntimeFailure;
        });
    }

    /** A question about an end failed, so that less is known of it. */
    void endFailed(Throwable failure) {
        Throwable cause = counted(failure);
        if (cause instanceof RuntimeFailure known && !known.isOutage()) {
            lost(known);
        } else {
            failed(cause);
        }
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // One thread writes.
    private void lost(RuntimeFailure failure) {
        notUnderstood++;
        guard.caught(PLACE, failure);
    }

    /** A request failed. */
    void failed(Throwable failure) {
        Throwable cause = counted(failure);
        // A failure for one container is no outage.
        if (cause instanceof RuntimeFailure known && known.isOutage()) {
            out(cause);
        }
    }

    /** Returns the cause; a cause that is not the runtime's counts as an error of this agent. */
    private Throwable counted(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        if (!(cause instanceof RuntimeFailure)) {
            guard.caught(PLACE, cause);
        }
        return cause;
    }

    /** Stops all requests until a list succeeds. */
    private void out(Throwable cause) {
        String reason = Files.exists(socket) ? reason(cause) : "its socket is gone";
        if (answered || !reason.equals(problem)) {
            LOG.warn("{} at {}: {}", kind, socket, reason);
        }
        refuses = cause instanceof RuntimeFailure known && !known.isOutage();
        answered = false;
        // The runtime may come back in another version.
        hasNoEvents = false;
        problem = reason;
    }

    private static String reason(Throwable cause) {
        return cause instanceof RuntimeFailure ? Objects.requireNonNull(cause.getMessage()) : cause.toString();
    }

    /** Returns the state of the runtime; meaningful while there is a socket. */
    SourceStatus status() {
        String now = problem;
        SourceStatus.Builder status = SourceStatus.newBuilder().setName(kind);
        if (now == null) {
            return status.setState(SourceStatus.State.UNAVAILABLE)
                    .setDetail("no socket at " + socket)
                    .build();
        }
        if (now.isEmpty()) {
            return status.setState(SourceStatus.State.ACTIVE).build();
        }
        return status.setState(everAnswered ? SourceStatus.State.DEGRADED : SourceStatus.State.UNAVAILABLE)
                .setDetail(socket + ": " + now)
                .build();
    }

    /** Returns the state of the event stream; empty while there is no socket. */
    Optional<SourceStatus> eventStatus() {
        if (!isPresent()) {
            return Optional.empty();
        }
        long lost = notUnderstood;
        String detail = !streams
                ? socket + ": no event stream: ends are found by a list every few seconds"
                : lost > 0 ? socket + ": " + lost + " events or answers were not understood" : "";
        return Optional.of(SourceStatus.newBuilder()
                .setName(kind + "-events")
                .setState(detail.isEmpty() ? SourceStatus.State.ACTIVE : SourceStatus.State.DEGRADED)
                .setDetail(detail)
                .build());
    }

    /** A receiver whose exceptions do not end the stream. */
    private final class Guarded implements RuntimeWatcher {
        private final RuntimeWatcher watcher;

        Guarded(RuntimeWatcher watcher) {
            this.watcher = watcher;
        }

        @Override
        public void onAppeared(String id) {
            guard.run(PLACE, () -> watcher.onAppeared(id));
        }

        @Override
        public void onReleased(String id) {
            guard.run(PLACE, () -> watcher.onReleased(id));
        }

        @Override
        public void onStarted(String id, Instant time, @Nullable Integer pid) {
            guard.run(PLACE, () -> watcher.onStarted(id, time, pid));
        }

        @Override
        public void onAction(String id, RuntimeAction action) {
            guard.run(PLACE, () -> watcher.onAction(id, action));
        }

        @Override
        public void onEnded(ContainerEnd end) {
            guard.run(PLACE, () -> watcher.onEnded(end));
        }

        @Override
        public void onNonsense(String what) {
            lost(new RuntimeFailure(kind + " at " + socket + ": " + what));
        }
    }

    /** Stops all requests; the caller must close the returned runtime. */
    Optional<ContainerRuntime> end() {
        answered = false;
        listing = true;
        return Optional.ofNullable(runtime);
    }
}
