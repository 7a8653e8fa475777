package dev.exit137.exitreport.facts;

import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * An entry of a runtime's own record of a container: an event of Docker Engine, or a line of containerd's log.
 *
 * @param time the runtime's
 * @param signal number of the signal that a KILL sends; null for other kinds
 * @param grace that a client gave with a stop; null if not known
 * @param exitCode that a DIE names, or the one by which Docker would name a START_FAILED; null for other kinds. Docker says
 *     255 when it lost the shim, whatever the process's own code is
 */
public record RuntimeAction(
        Kind kind,
        Instant time,
        @Nullable Integer signal,
        @Nullable Duration grace,
        @Nullable Integer exitCode) {

    /** An entry that names no exit code. */
    public RuntimeAction(Kind kind, Instant time, @Nullable Integer signal, @Nullable Duration grace) {
        this(kind, time, signal, grace, null);
    }

    /** What happened. */
    public enum Kind {
        /** The runtime sends a signal to the container. */
        KILL,
        /** A stop that a client asked for is complete (Docker), or begins (CRI, with its grace period). */
        STOP,
        /** A client of the CRI stops the container's pod: its containers are killed at once. */
        STOP_POD,
        /** A client of the CRI removes the container, which still runs: it is killed at once. */
        REMOVE,
        /** The container did not start. */
        START_FAILED,
        /** The container's main process ended. */
        DIE,
        /** The kernel killed a process of the container for memory. */
        OOM,
        /** The container was removed. */
        DESTROY,
        /** The container was started again by request. */
        RESTART,
        /** The container's processes are frozen. */
        PAUSE;

        /** Whether a client asked for it, or a signal followed from what a client asked for. */
        public boolean isRequested() {
            return this == KILL || this == STOP || this == STOP_POD || this == REMOVE;
        }
    }
}
