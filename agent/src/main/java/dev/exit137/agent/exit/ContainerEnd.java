package dev.exit137.agent.exit;

import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.ExitSettings;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * The end of a container as one source says it.
 *
 * @param source DOCKER, CONTAINERD or CRI
 * @param container with its id, and what else the source says of it
 * @param endedAt the runtime's time
 * @param reportedAt when the runtime told of it; the end's own time may be before a start that was told before it
 * @param startedAt null if not known, or if it never started
 * @param exitCode null if not known
 * @param pid of its main process, in the namespace of the runtime; null if not known
 * @param oomKilled the runtime's flag: the kernel killed a process of the container during its life, or, on cgroup v1,
 *     above it
 * @param settings as far as they are known
 * @param startFailure why it did not start, as Docker's exit code would say: 127, 126, 128; null if it started, or if the
 *     exit code itself says so
 */
public record ContainerEnd(
        Evidence source,
        Container container,
        Instant endedAt,
        Instant reportedAt,
        @Nullable Instant startedAt,
        @Nullable Integer exitCode,
        @Nullable Integer pid,
        boolean oomKilled,
        ExitSettings settings,
        @Nullable Integer startFailure) {

    /** The end of a container that started, or whose exit code says why it did not. */
    public ContainerEnd(
            Evidence source,
            Container container,
            Instant endedAt,
            Instant reportedAt,
            @Nullable Instant startedAt,
            @Nullable Integer exitCode,
            @Nullable Integer pid,
            boolean oomKilled,
            ExitSettings settings) {
        this(source, container, endedAt, reportedAt, startedAt, exitCode, pid, oomKilled, settings, null);
    }

    /** Returns the container's full id. */
    public String id() {
        return container.getId();
    }

    /** Returns what two sources, or two answers of one, say together; what {@code later} says counts. */
    ContainerEnd with(ContainerEnd later) {
        return new ContainerEnd(
                source,
                container.toBuilder().mergeFrom(later.container).build(),
                endedAt,
                reportedAt,
                later.startedAt == null ? startedAt : later.startedAt,
                later.exitCode == null ? exitCode : later.exitCode,
                later.pid == null ? pid : later.pid,
                oomKilled || later.oomKilled,
                settings.toBuilder().mergeFrom(later.settings).build(),
                later.startFailure == null ? startFailure : later.startFailure);
    }
}
