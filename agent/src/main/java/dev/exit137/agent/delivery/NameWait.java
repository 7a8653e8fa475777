package dev.exit137.agent.delivery;

import dev.exit137.agent.container.Identities;
import dev.exit137.agent.container.Identity;
import dev.exit137.agent.metrics.KillMetrics;
import dev.exit137.daemon.collect.BoundedMap;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.proto.v1.OomKillEvent;
import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Holds the events with a container that is not known yet, by its name or by its main process. Each event waits for a
 * moment in the outbox, where a crash does not lose it. Then it goes out with the fields that are known, and again in a
 * higher revision when the runtime answers. After an unexpected failure it goes out unchanged. Agent-worker thread.
 */
final class NameWait {
    private static final Logger LOG = LoggerFactory.getLogger(NameWait.class);
    private static final String PLACE = "naming";
    private static final String METRICS = "kill-metrics";
    private static final int MAX_WAITING = 256;
    private static final int MAX_REVISED = 4096;
    /** After this time an event is counted without a name: a runtime may be out for long. */
    private static final Duration COUNT_PATIENCE = Duration.ofMinutes(1);

    private static final class Waiting {
        private OomKillEvent event;
        private boolean isOut;
        private boolean isCounted;

        Waiting(OomKillEvent event) {
            this.event = event;
        }
    }

    private final Identities identities;
    private final OomEventMapper mapper;
    private final Duration patience;
    private final Outbox outbox;
    private final KillMetrics metrics;
    private final ScheduledExecutorService worker;
    private final Runnable ready;
    private final Consumer<OomKillEvent> sink;
    private final Guard guard;
    private final Map<String, Waiting> waiting = new LinkedHashMap<>();
    /** Revisions made here, added to those that come from the kernel's own evidence. */
    private final Map<String, Integer> revisedHere = BoundedMap.byInsertion(MAX_REVISED);

    /**
     * @param ready runs when the outbox has more to send after a wait
     * @param sink receives each event when it goes out
     * @param guard of this process
     */
    NameWait(
            Identities identities,
            OomEventMapper mapper,
            Duration patience,
            Outbox outbox,
            KillMetrics metrics,
            ScheduledExecutorService worker,
            Runnable ready,
            Consumer<OomKillEvent> sink,
            Guard guard) {
        this.identities = identities;
        this.mapper = mapper;
        this.patience = patience;
        this.outbox = outbox;
        this.metrics = metrics;
        this.worker = worker;
        this.ready = ready;
        this.sink = sink;
        this.guard = guard;
    }

    /** Takes an event, or a better revision of one; the event is in the outbox when this method returns. */
    void take(OomKillEvent fresh) {
        String eventId = fresh.getEventId();
        OomKillEvent unnamed = fresh.toBuilder()
                .setRevision(fresh.getRevision() + revisedHere.getOrDefault(eventId, 0))
                .build();
        if (!guard.run(PLACE, () -> name(unnamed, fresh.getRevision() > 1))) {
            waiting.remove(eventId);
            add(unnamed);
        }
    }

    /** Sends an event that went out once more, unless it waits for a name and will come again. */
    void revise(OomKillEvent.Builder better) {
        if (!waiting.containsKey(better.getEventId())) {
            revisedHere.merge(better.getEventId(), 1, Integer::sum);
            add(better.setRevision(better.getRevision() + 1).build());
            ready.run();
        }
    }

    private void name(OomKillEvent unnamed, boolean revised) {
        String eventId = unnamed.getEventId();
        Optional<String> container =
                CgroupPath.parse(unnamed.getCgroupPath()).container().map(CgroupPath.ContainerRef::id);
        Optional<Identity> known = container.flatMap(identities::find);
        OomKillEvent event = known.map(identity -> named(unnamed, identity)).orElse(unnamed);
        if (revised) {
            guard.run(METRICS, () -> metrics.revised(event));
        }
        if (container.isEmpty() || known.filter(Identity::isWhole).isPresent()) {
            Waiting before = waiting.remove(eventId);
            add(event);
            if (before == null ? !revised : !before.isCounted) {
                count(event);
            }
            return;
        }
        Waiting before = waiting.get(eventId);
        if (before != null) {
            before.event = event;
            if (before.isOut) {
                add(event);
            } else {
                outbox.hold(event);
            }
            return;
        }
        Waiting wait = new Waiting(event);
        makeRoom();
        waiting.put(eventId, wait);
        outbox.hold(event);
        worker.schedule(() -> goOut(eventId, wait), patience.toMillis(), TimeUnit.MILLISECONDS);
        if (revised) {
            wait.isCounted = true;
        } else if (known.isPresent()) {
            count(wait);
        } else {
            worker.schedule(() -> count(wait), COUNT_PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        }
        identities
                .lookUp(container.get())
                .whenComplete((identity, failure) -> worker.execute(() -> answered(eventId, wait, identity)));
    }

    private OomKillEvent named(OomKillEvent unnamed, Identity identity) {
        return guard.get(PLACE, () -> mapper.name(unnamed, identity), unnamed);
    }

    private void goOut(String eventId, Waiting wait) {
        if (waiting.get(eventId) == wait && !wait.isOut) {
            wait.isOut = true;
            release(wait);
            ready.run();
        }
    }

    /** Counts the event once, with a name if one comes in time. */
    private void count(Waiting wait) {
        if (!wait.isCounted) {
            wait.isCounted = true;
            count(wait.event);
        }
    }

    private void count(OomKillEvent event) {
        guard.run(METRICS, () -> metrics.count(event));
    }

    private void answered(String eventId, Waiting wait, @Nullable Identity identity) {
        if (!waiting.remove(eventId, wait)) {
            return;
        }
        OomKillEvent before = wait.event;
        wait.event = identity == null ? before : named(before, identity);
        count(wait);
        if (wait.isOut) {
            if (wait.event.equals(before)) {
                return;
            }
            wait.event =
                    wait.event.toBuilder().setRevision(before.getRevision() + 1).build();
            revisedHere.merge(eventId, 1, Integer::sum);
        }
        add(wait.event);
        ready.run();
    }

    private void add(OomKillEvent event) {
        if (outbox.add(event)) {
            show(event);
        }
    }

    private void release(Waiting wait) {
        if (outbox.release(wait.event.getEventId())) {
            show(wait.event);
        }
    }

    private void show(OomKillEvent event) {
        guard.run("event-sink", () -> sink.accept(event));
    }

    private void makeRoom() {
        if (waiting.size() < MAX_WAITING) {
            return;
        }
        Iterator<Map.Entry<String, Waiting>> oldestFirst = waiting.entrySet().iterator();
        Map.Entry<String, Waiting> oldest = oldestFirst.next();
        oldestFirst.remove();
        LOG.warn(
                "more than {} events wait for a container's name: {} keeps what its path says",
                MAX_WAITING,
                oldest.getKey());
        release(oldest.getValue());
        count(oldest.getValue());
    }
}
