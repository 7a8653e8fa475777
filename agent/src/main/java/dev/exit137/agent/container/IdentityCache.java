package dev.exit137.agent.container;

import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongSupplier;

/**
 * The containers that were asked about. One that its runtime no longer lists is kept for a while: often it was removed
 * because of the very kill that is to be reported. Bounded. Any thread.
 */
final class IdentityCache {
    static final int MAX_CONTAINERS = 8192;
    static final Duration KEEP_GONE = Duration.ofMinutes(10);

    private static final class Kept {
        private final Object runtime;
        private Identity identity;
        private boolean gone;
        private long goneSinceNanos;

        Kept(Object runtime, Identity identity) {
            this.runtime = runtime;
            this.identity = identity;
        }
    }

    private final LongSupplier monotonicNanos;
    private final Map<String, Kept> byId = new LinkedHashMap<>();

    IdentityCache(LongSupplier monotonicNanos) {
        this.monotonicNanos = monotonicNanos;
    }

    synchronized Optional<Identity> find(String id) {
        return Optional.ofNullable(byId.get(id)).map(kept -> kept.identity);
    }

    synchronized int size() {
        return byId.size();
    }

    /** Keeps the new identity. A known main pid stays, because the runtime forgets it when the process ends. */
    synchronized void put(Object runtime, Identity identity) {
        Kept before = byId.get(identity.id());
        if (before == null) {
            makeRoom();
            byId.put(identity.id(), new Kept(runtime, identity));
            return;
        }
        boolean hasPid = identity.mainPid() != null;
        before.identity = new Identity(
                identity.container(),
                identity.composeLabels(),
                identity.running(),
                hasPid ? identity.mainPid() : before.identity.mainPid(),
                hasPid ? identity.startedAt() : before.identity.startedAt());
        before.gone = false;
    }

    private void makeRoom() {
        if (byId.size() < MAX_CONTAINERS) {
            return;
        }
        Iterator<Kept> oldestFirst = byId.values().iterator();
        while (oldestFirst.hasNext()) {
            if (oldestFirst.next().gone) {
                oldestFirst.remove();
                return;
            }
        }
        byId.remove(byId.keySet().iterator().next());
    }

    /** Takes the runtime's present list: its other containers are gone, and are forgotten after a while. */
    synchronized void retain(Object runtime, Set<String> listed) {
        long now = monotonicNanos.getAsLong();
        byId.entrySet().removeIf(entry -> {
            Kept kept = entry.getValue();
            if (!kept.runtime.equals(runtime)) {
                return false;
            }
            if (listed.contains(entry.getKey())) {
                kept.gone = false;
                return false;
            }
            if (!kept.gone) {
                kept.gone = true;
                kept.goneSinceNanos = now;
            }
            return now - kept.goneSinceNanos > KEEP_GONE.toNanos();
        });
    }
}
