package dev.exit137.agent.container;

import dev.exit137.agent.exit.ContainerEnd;
import dev.exit137.exitreport.facts.RuntimeAction;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** Receives what a runtime says as it happens. Agent-identity thread. */
interface RuntimeWatcher {
    /** A container was created or started: it can be asked about. */
    void onAppeared(String id);

    /** A container let go of its network: it ended, or it failed to start. */
    default void onReleased(String id) {
        // Few runtimes say so.
    }

    /**
     * A life of a container began.
     *
     * @param pid of its main process; null if the runtime does not say
     */
    void onStarted(String id, Instant time, @Nullable Integer pid);

    /** The runtime did something with a container, or saw something happen to it. */
    void onAction(String id, RuntimeAction action);

    /** A container ended, by whatever exit code. */
    void onEnded(ContainerEnd end);

    /** Something came that cannot be understood, and is lost. */
    void onNonsense(String what);
}
