package dev.exit137.agent.exit;

import dev.exit137.proto.v1.Container;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A container as it was known before it ended.
 *
 * @param mainPid of the life that ended; null if not known
 */
public record ContainerSubject(
        Container container,
        Map<String, String> composeLabels,
        @Nullable Integer mainPid) {
    /** Nothing is known. */
    public static final ContainerSubject UNKNOWN = new ContainerSubject(Container.getDefaultInstance(), Map.of(), null);

    /** Copies the mutable map. */
    public ContainerSubject {
        composeLabels = Map.copyOf(composeLabels);
    }
}
