package dev.exit137.daemon.log;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Passes a few messages of each kind in ten seconds and counts the others. Not thread-safe. */
final class FloodGate {
    /** How long messages of a kind are counted before the count is logged. */
    static final long WINDOW_NANOS = TimeUnit.SECONDS.toNanos(10);

    static final int MAX_PASSED = 5;
    private static final int MAX_KINDS = 256;
    private static final String OTHERS = "";

    private static final class Kind {
        private final long sinceNanos;
        private int passed;
        private long held;
        private @Nullable LogMessage lastHeld;

        Kind(long sinceNanos) {
            this.sinceNanos = sinceNanos;
        }

        Held held() {
            return new Held(Objects.requireNonNull(lastHeld), held - 1);
        }
    }

    /** The last suppressed message of a kind, and the number of other suppressed ones. */
    record Held(LogMessage last, long others) {}

    private final Map<String, Kind> kinds = new LinkedHashMap<>();

    /** Whether the message is to be logged now. */
    boolean passes(LogMessage message, long nowNanos) {
        String name = kinds.containsKey(message.kind()) || kinds.size() < MAX_KINDS ? message.kind() : OTHERS;
        Kind kind = kinds.computeIfAbsent(name, unseen -> new Kind(nowNanos));
        if (kind.passed < MAX_PASSED) {
            kind.passed++;
            return true;
        }
        kind.held++;
        kind.lastHeld = message;
        return false;
    }

    /** Removes and returns the suppressed messages of the kinds with an expired window. */
    List<Held> takeDue(long nowNanos) {
        List<Held> due = new ArrayList<>();
        // The kinds are in the order of their start times.
        for (Iterator<Kind> oldest = kinds.values().iterator(); oldest.hasNext(); ) {
            Kind kind = oldest.next();
            if (nowNanos - kind.sinceNanos < WINDOW_NANOS) {
                break;
            }
            oldest.remove();
            if (kind.held > 0) {
                due.add(kind.held());
            }
        }
        return due;
    }

    /** Removes and returns all suppressed messages, for the end of the program. */
    List<Held> takeAll() {
        List<Held> all = kinds.values().stream()
                .filter(kind -> kind.held > 0)
                .map(Kind::held)
                .toList();
        kinds.clear();
        return all;
    }

    /** Whether any message is suppressed. */
    boolean isHolding() {
        return kinds.values().stream().anyMatch(kind -> kind.held > 0);
    }
}
