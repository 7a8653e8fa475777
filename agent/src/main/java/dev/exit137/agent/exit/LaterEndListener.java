package dev.exit137.agent.exit;

import dev.exit137.exitreport.facts.End;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Stands for a listener that comes later: the sources of ends start before the one who takes them. What is told until then
 * waits, in its order, since the same end told again has more in it. Any thread.
 */
public final class LaterEndListener implements EndListener {
    private final Queue<Consumer<EndListener>> waiting = new ArrayDeque<>();
    private @Nullable EndListener listener;

    /** Hands on what has been told so far, and from now on everything at once. */
    public synchronized void is(EndListener present) {
        waiting.forEach(told -> told.accept(present));
        waiting.clear();
        listener = present;
    }

    @Override
    public void onEnd(End end) {
        tell(present -> present.onEnd(end));
    }

    @Override
    public void onSuccess(End end) {
        tell(present -> present.onSuccess(end));
    }

    private synchronized void tell(Consumer<EndListener> told) {
        if (listener == null) {
            waiting.add(told);
        } else {
            told.accept(listener);
        }
    }
}
