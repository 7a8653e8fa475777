package dev.exit137.agent.exit;

import dev.exit137.exitreport.facts.End;

/**
 * Receives the ends of containers and services. It is called on the agent-identity thread, which waits for it: it must
 * hand the end over and return.
 */
@FunctionalInterface
public interface EndListener {
    /** Takes nothing. */
    EndListener NONE = end -> {};

    /**
     * Something ended by a signal, or with an exit code other than 0. The same end comes again when more is known: more
     * actions, another source, a name. Its subject (the container's id, or the unit) and its {@code ended_at} are then
     * the same, and the later call has all that the earlier one had.
     *
     * @param end without event id, revision, node, observed time and cause
     */
    void onEnd(End end);

    /**
     * A container ended with code 0: that is no event, but what was killed in it then belongs to that end.
     *
     * @param end as for {@link #onEnd}
     */
    default void onSuccess(End end) {}
}
