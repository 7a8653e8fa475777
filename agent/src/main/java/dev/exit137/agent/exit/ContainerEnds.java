package dev.exit137.agent.exit;

import dev.exit137.daemon.collect.BoundedMap;
import dev.exit137.exitreport.facts.RuntimeAction;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Joins what the runtimes say: one end of a container comes from several sources, and in pieces. What a runtime did
 * with a container before its end is kept until then; what it does within two seconds after ({@code stop},
 * {@code destroy}) belongs to the end, too. Reports of the same end are within two seconds of each other, and the
 * container did not start between them. Agent-identity thread.
 */
public final class ContainerEnds {
    /** A container that was forgotten is as one that was never heard of: an end of it is reported again, with one key. */
    private static final int MAX_CONTAINERS = 8192;
    /** The last moments: a program that is told to reopen its logs gets a signal now and then for months. */
    private static final int MAX_ACTIONS = 16;

    private static final Duration SAME_END = Duration.ofSeconds(2);
    private static final Duration AFTERMATH = Duration.ofSeconds(2);

    /** What is kept of a container, which may live several times. */
    private static final class Lives {
        private final Deque<RuntimeAction> actions = new ArrayDeque<>();
        /** The latest start that is known, and the main pid of that life. */
        private @Nullable Instant startedAt;

        private @Nullable Integer pid;
        private @Nullable ContainerEnding last;

        /** Returns whether a start was seen after the last end. */
        boolean liveAgain() {
            return last != null && startedAt != null && startedAt.isAfter(last.latestReport());
        }
    }

    private final EndListener listener;
    private final Map<String, Lives> byId = BoundedMap.byAccess(MAX_CONTAINERS);

    /** @param listener of all ends that are not successes */
    public ContainerEnds(EndListener listener) {
        this.listener = listener;
    }

    private Lives lives(String id) {
        return byId.computeIfAbsent(id, unseen -> new Lives());
    }

    /**
     * A life of the container began.
     *
     * @param pid of its main process; null if the source does not say
     */
    public void onStarted(String id, Instant time, @Nullable Integer pid) {
        Lives lives = lives(id);
        boolean isNews = lives.startedAt == null || time.isAfter(lives.startedAt);
        if (isNews) {
            boolean was = lives.liveAgain();
            lives.startedAt = time;
            if (lives.liveAgain() && !was) {
                lives.actions.clear();
                lives.pid = null;
            }
        }
        if (pid != null) {
            lives.pid = pid;
        }
    }

    /** The runtime did something with the container, or saw something happen to it. */
    public void onAction(String id, RuntimeAction action) {
        Lives lives = lives(id);
        ContainerEnding last = lives.last;
        if (last != null && isAftermath(action, last, lives)) {
            last.add(action);
            if (last.isDelivered()) {
                deliver(last);
            }
            return;
        }
        if (lives.actions.contains(action)) {
            return;
        }
        if (lives.actions.size() == MAX_ACTIONS) {
            // The oldest are lost; they say the least about an end.
            lives.actions.removeFirst();
        }
        lives.actions.addLast(action);
    }

    private static boolean isAftermath(RuntimeAction action, ContainerEnding last, Lives lives) {
        if (action.time().isAfter(last.latestReport().plus(AFTERMATH))) {
            return false;
        }
        return switch (action.kind()) {
            // Docker tells of these when they are complete, of RESTART even after the start.
            case DESTROY, RESTART -> !action.time().isBefore(last.endedAt());
            case STOP -> action.grace() != null || !action.time().isBefore(last.endedAt());
            // Two sources tell of the same OOM, the later one perhaps after the end.
            case OOM, DIE, START_FAILED ->
                !lives.liveAgain() || action.time().isBefore(Objects.requireNonNull(lives.startedAt));
            // A log may be read a moment later than the event of the end.
            case KILL, STOP_POD, REMOVE -> !lives.liveAgain() && !action.time().isAfter(last.endedAt());
            case PAUSE -> false;
        };
    }

    /**
     * A source says that the container ended. Nothing is delivered before {@link #deliver}.
     *
     * @return the end, perhaps one that another source told of before
     */
    public ContainerEnding onEnd(ContainerEnd end, ContainerSubject subject) {
        Lives lives = lives(end.id());
        ContainerEnding last = lives.last;
        if (last != null && isSame(last, end, lives)) {
            last.add(end);
            last.addAll(take(lives, end.endedAt()));
            last.add(subject);
            return last;
        }
        boolean isOfLastStart = lives.startedAt != null && !lives.startedAt.isAfter(end.reportedAt());
        ContainerEnding ending =
                new ContainerEnding(end, take(lives, end.endedAt()), subject, isOfLastStart ? lives.pid : null);
        if (last == null || end.endedAt().isAfter(last.endedAt())) {
            lives.last = ending;
        }
        return ending;
    }

    private static boolean isSame(ContainerEnding last, ContainerEnd end, Lives lives) {
        return !end.endedAt().isBefore(last.endedAt().minus(SAME_END))
                && !end.endedAt().isAfter(last.latestReport().plus(SAME_END))
                && (!lives.liveAgain() || end.endedAt().isBefore(Objects.requireNonNull(lives.startedAt)));
    }

    /** Takes the actions of the life that ended then. */
    private static List<RuntimeAction> take(Lives lives, Instant endedAt) {
        List<RuntimeAction> taken = new ArrayList<>(lives.actions);
        taken.removeIf(action -> action.time().isAfter(endedAt.plus(AFTERMATH)));
        lives.actions.removeAll(taken);
        return taken;
    }

    /** Hands the end to the listener, unless it has been, with all that is known. */
    public void deliver(ContainerEnding ending) {
        ending.next().ifPresent(end -> {
            if (end.reported().getExitCode() == 0) {
                listener.onSuccess(end);
            } else {
                listener.onEnd(end);
            }
        });
    }

    /** Returns whether this source has told of the end of the container's last life. */
    public boolean isKnown(String id, Evidence source) {
        Lives lives = byId.get(id);
        return lives != null && lives.last != null && !lives.liveAgain() && lives.last.hasEvidence(source);
    }

    /** Returns whether a start of the container was seen. */
    public boolean hasStarted(String id) {
        Lives lives = byId.get(id);
        return lives != null && lives.startedAt != null;
    }

    /** Returns when the container's last end was that is known; null if none is. */
    public @Nullable Instant lastEnd(String id) {
        Lives lives = byId.get(id);
        return lives == null || lives.last == null ? null : lives.last.latestReport();
    }
}
