package dev.exit137.agent.exit;

import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.exitreport.facts.TraceState;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The last signals of the node, until the ends that they caused are known. Bounded: the oldest go first, and one that
 * goes while an end may still ask for it counts as lost. Any thread.
 */
public final class SignalBook {
    private static final int MAX_SIGNALS = 2048;
    /** A runtime reports an end within this time after the kill. */
    private static final Duration WANTED = Duration.ofSeconds(10);

    // All guarded by this.
    private final ArrayDeque<SentSignal> signals = new ArrayDeque<>();
    private String problem = "it has not started yet";
    private @Nullable Instant wholeSince;
    private long dropped;

    /** Takes a signal; they come in the order of their times, as far as several processors allow. */
    public synchronized void add(SentSignal signal) {
        if (signals.size() == MAX_SIGNALS) {
            SentSignal oldest = signals.removeFirst();
            if (oldest.time().plus(WANTED).isAfter(signal.time())) {
                dropped++;
                wholeSince = signal.time();
            }
        }
        signals.addLast(signal);
    }

    /** The trace works, and has all signals since this time. */
    public synchronized void wholeSince(Instant time) {
        problem = "";
        wholeSince = time;
    }

    /** The trace does not work; the reason is fit for a user. */
    public synchronized void unavailable(String reason) {
        problem = reason;
        wholeSince = null;
    }

    /** Returns the kept signals that match, oldest first. */
    public synchronized List<SentSignal> find(Predicate<SentSignal> wanted) {
        // The buffers of several processors are read one after another.
        return signals.stream()
                .filter(wanted)
                .sorted(Comparator.comparing(SentSignal::time))
                .toList();
    }

    /** Returns whether a SIGKILL shortly before that end must be here. */
    public synchronized TraceState stateFor(Instant end) {
        if (!problem.isEmpty()) {
            return TraceState.without(problem);
        }
        Instant since = wholeSince;
        boolean covered = since != null && since.isBefore(end.minus(Duration.ofSeconds(1)));
        return covered ? TraceState.WHOLE : TraceState.without("it does not cover the time of this end");
    }

    /** Returns the number of signals that were given up while an end might still have asked for them. */
    public synchronized long dropped() {
        return dropped;
    }
}
