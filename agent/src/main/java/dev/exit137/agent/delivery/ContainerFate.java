package dev.exit137.agent.delivery;

import com.google.protobuf.util.Timestamps;
import dev.exit137.daemon.collect.BoundedMap;
import dev.exit137.proto.v1.OomKillEvent;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Says, a moment after the kill of a process in a container, whether the container outlived it: a main process often ends
 * because its child did. The event is then sent once more, with the answer. Agent-worker thread.
 */
final class ContainerFate {
    /** A main process that ends because its child was killed has ended by then. */
    static final Duration MOMENT = Duration.ofSeconds(2);

    private static final int MAX_EVENTS = 256;

    private static final class Watched {
        private OomKillEvent latest;
        private @Nullable Boolean outlived;

        Watched(OomKillEvent latest) {
            this.latest = latest;
        }
    }

    /** Sends an event once more, as a higher revision. */
    interface Reviser {
        void revise(OomKillEvent sent, boolean containerOutlived);
    }

    private final Function<OomKillEvent, Optional<Boolean>> isAlive;
    private final Reviser reviser;
    private final ScheduledExecutorService worker;
    private final Map<String, Watched> byEvent = BoundedMap.byInsertion(MAX_EVENTS);

    /** @param isAlive whether the main process of the event's container is alive now; empty where that is not known */
    ContainerFate(Function<OomKillEvent, Optional<Boolean>> isAlive, Reviser reviser, ScheduledExecutorService worker) {
        this.isAlive = isAlive;
        this.reviser = reviser;
        this.worker = worker;
    }

    /** An event went out, or a better revision of one. */
    void onSent(OomKillEvent event) {
        if (!isFateOpen(event)) {
            return;
        }
        Watched watched = byEvent.get(event.getEventId());
        if (watched == null) {
            Watched first = new Watched(event);
            byEvent.put(event.getEventId(), first);
            worker.schedule(() -> ask(first), MOMENT.toMillis(), TimeUnit.MILLISECONDS);
            return;
        }
        watched.latest = event;
        revise(watched);
    }

    /** A kill that was found later tells nothing: the container may have ended since for any reason. */
    private static boolean isFateOpen(OomKillEvent event) {
        return event.getVictim().hasIsContainerInit()
                && !event.getVictim().getIsContainerInit()
                && !event.getVictim().hasContainerOutlived()
                && event.hasTime()
                && event.hasObservedTime()
                && Timestamps.between(event.getTime(), event.getObservedTime()).getSeconds() < MOMENT.toSeconds();
    }

    private void ask(Watched watched) {
        watched.outlived = isAlive.apply(watched.latest).orElse(null);
        revise(watched);
    }

    private void revise(Watched watched) {
        if (watched.outlived != null) {
            reviser.revise(watched.latest, watched.outlived);
        }
    }
}
