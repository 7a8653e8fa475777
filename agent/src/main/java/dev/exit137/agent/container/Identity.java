package dev.exit137.agent.container;

import dev.exit137.proto.v1.Container;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A container as its runtime knows it.
 *
 * @param container runtime, id, name, attempt, image and pod; the QoS class is not the runtime's to say
 * @param composeLabels Docker Compose's labels
 * @param running whether it had not ended when the runtime was asked
 * @param mainPid its first process, in the pid namespace of the kernel's log; empty when it is not known
 * @param startedAt when the life that {@code mainPid} is of began; empty where a container lives only once (CRI)
 */
public record Identity(
    Container container,
    Map<String, String> composeLabels,
    boolean running,
    OptionalInt mainPid,
    Optional<Instant> startedAt) {

  /** The container's whole id. */
  public String id() {
    return container.getId();
  }

  /** Whether there is nothing more to learn; a sandbox has no name, and its process is never asked for. */
  public boolean isWhole() {
    return mainPid.isPresent() || !running || container.getName().isEmpty();
  }

  Identity withMainPid(OptionalInt pid) {
    return new Identity(container, composeLabels, running, pid, startedAt);
  }

  /**
   * Whether a killed process was the container's first one. A CRI container lives once, so its main process was the same
   * at any kill. A Docker container may have been started anew since: another process is only certain to have been a
   * child if the main process of before the kill is still there.
   *
   * @param victimPid of the kernel's own record, which names this container's cgroup
   * @param mainLives whether {@code mainPid} runs now
   */
  public Optional<Boolean> isInit(int victimPid, Instant killedAt, boolean mainLives) {
    if (mainPid.isEmpty()) {
      return Optional.empty();
    }
    if (mainPid.getAsInt() == victimPid) {
      return Optional.of(true);
    }
    boolean sameLife = startedAt.isEmpty() || (startedAt.get().isBefore(killedAt) && mainLives);
    return sameLife ? Optional.of(false) : Optional.empty();
  }
}
