package dev.exit137.agent.container;

import dev.exit137.proto.v1.Container;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A container as its runtime knows it.
 *
 * @param container runtime, id, name, attempt, image and pod; not the QoS class, which the runtime does not know
 * @param composeLabels Docker Compose's labels
 * @param running whether it had not ended when the runtime was asked
 * @param mainPid its first process, in the pid namespace of the kernel's log; null when it is not known
 * @param startedAt when the life that {@code mainPid} is of began; null where a container lives only once (CRI)
 */
public record Identity(
        Container container,
        Map<String, String> composeLabels,
        boolean running,
        @Nullable Integer mainPid,
        @Nullable Instant startedAt) {

    /** Returns the container's full id. */
    public String id() {
        return container.getId();
    }

    /** Returns whether the identity is complete; a sandbox has no name, and its process is never asked for. */
    public boolean isWhole() {
        return mainPid != null || !running || container.getName().isEmpty();
    }

    Identity withoutMainPid() {
        return new Identity(container, composeLabels, running, null, startedAt);
    }

    /**
     * Returns whether a killed process was the container's first one. A CRI container lives once, so its main process was
     * the same at any kill. A Docker container may have been restarted since: another process is certain to have been a
     * child only if the main process from before the kill still lives.
     *
     * @param victimPid from the kernel's own record, which names this container's cgroup
     * @param mainLives whether {@code mainPid} runs now
     */
    public Optional<Boolean> isInit(int victimPid, Instant killedAt, boolean mainLives) {
        if (mainPid == null) {
            return Optional.empty();
        }
        if (mainPid == victimPid) {
            return Optional.of(true);
        }
        boolean sameLife = startedAt == null || (startedAt.isBefore(killedAt) && mainLives);
        return sameLife ? Optional.of(false) : Optional.empty();
    }
}
