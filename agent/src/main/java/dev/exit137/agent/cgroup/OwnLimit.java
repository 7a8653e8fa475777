package dev.exit137.agent.cgroup;

import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Tells a container's own limit where the kernel does not name it, from the files of the cgroups right after a kill.
 *
 * <p>Kubelet gives a pod the sum of its containers' limits and charges the pause container, too. A pod with one container
 * thus reaches the pod's limit a little before the container's, which is the one that its user wrote. The agent-epoll
 * thread reads.
 */
public final class OwnLimit {
    /** The pause container, and what is freed before the files are read, are less than this part of a limit. */
    private static final long REST = 10;

    private final AfterKillReader files;

    /** @param files reads the cgroups */
    public OwnLimit(AfterKillReader files) {
        this.files = files;
    }

    /**
     * The container that the limit of its pod belongs to: the pod's limit is the sum of its containers' limits, and the
     * victim's container held nearly all of it. Null where several containers share the limit, where the pod has a limit of
     * its own ({@code spec.resources}), and where the files are gone.
     *
     * @param pod the cgroup that is full
     * @param victims the victim's cgroup
     * @param limitBytes the pod's limit
     * @param victimBytes what the victim held
     */
    public @Nullable Cgroup inPod(Cgroup pod, Cgroup victims, long limitBytes, long victimBytes) {
        long sum = 0;
        long own = 0;
        Cgroup container = null;
        for (Cgroup child : pod.children.values()) {
            long limit = files.limitBytes(child).orElse(0);
            sum += limit;
            if (victims.isAtOrBelow(child)) {
                container = child;
                own = limit;
            }
        }
        boolean isOwn = container != null
                && sum == limitBytes
                && isNearly(own, limitBytes)
                && isNearly(files.usageAtKillBytes(container, victimBytes), limitBytes);
        return isOwn ? container : null;
    }

    /**
     * The nearest cgroup at or above the victim's that was nearly full at the kill; null for none.
     *
     * @param victimBytes what the victim held
     */
    public @Nullable Cgroup full(Cgroup victims, long victimBytes) {
        for (Cgroup at = victims; at != null; at = at.parent()) {
            OptionalLong limit = files.limitBytes(at);
            if (limit.isPresent() && isNearly(files.usageAtKillBytes(at, victimBytes), limit.getAsLong())) {
                return at;
            }
        }
        return null;
    }

    private static boolean isNearly(long bytes, long limitBytes) {
        return bytes > 0 && bytes >= limitBytes - limitBytes / REST;
    }
}
