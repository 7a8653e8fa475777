package dev.exit137.oomreport.explain;

import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.Pod;
import dev.exit137.proto.v1.QosClass;

/** The name of a cgroup in a sentence. */
public final class CgroupName {
    private static final int SHORT_ID_LENGTH = 12;
    private static final int LONGEST_PATH = 60;

    private CgroupName() {}

    /** {@code container 1da1ac35179e}, {@code pod <uid>}, {@code nginx.service}, else {@code cgroup /a/b}. */
    public static String of(String path) {
        CgroupPath cgroup = CgroupPath.parse(path);
        return switch (cgroup.owner()) {
            case CONTAINER ->
                "container " + cgroup.container().map(ref -> shortId(ref.id())).orElse("");
            case POD -> "pod " + cgroup.podUid();
            case QOS_CLASS ->
                "QoS class " + (cgroup.qosClass() == QosClass.QOS_CLASS_BURSTABLE ? "Burstable" : "BestEffort");
            case NODE_ALLOCATABLE -> "kubepods (all the pods of the node)";
            case UNIT, SLICE -> last(path);
            default -> "cgroup " + (path.length() > LONGEST_PATH ? "…/" + last(path) : path);
        };
    }

    /**
     * The runtime's name, where the cgroup is this container, a cgroup within it, or its pod:
     * {@code container app of pod shop/cart-6f7}; else {@link #of(String)}.
     */
    static String of(String path, Container known) {
        CgroupPath cgroup = CgroupPath.parse(path);
        if (isNamed(known)
                && cgroup.container()
                        .filter(ref -> ref.id().equals(known.getId()))
                        .isPresent()) {
            return cgroup.owner() == Limit.Owner.CONTAINER ? container(known) : of(path) + " in " + container(known);
        }
        Pod pod = known.getPod();
        return cgroup.owner() == Limit.Owner.POD
                        && !pod.getName().isEmpty()
                        && pod.getUid().equals(cgroup.podUid())
                ? pod(pod)
                : of(path);
    }

    private static boolean isNamed(Container container) {
        return !container.getName().isEmpty() || !container.getPod().getName().isEmpty();
    }

    /** The container that holds a pod's namespaces has no name. */
    private static String container(Container known) {
        return "container " + (known.getName().isEmpty() ? shortId(known.getId()) : known.getName())
                + (known.getPod().getName().isEmpty() ? "" : " of " + pod(known.getPod()));
    }

    private static String pod(Pod pod) {
        return "pod " + (pod.getNamespace().isEmpty() ? "" : pod.getNamespace() + "/") + pod.getName();
    }

    private static String shortId(String id) {
        return id.substring(0, SHORT_ID_LENGTH);
    }

    private static String last(String path) {
        String trimmed = path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
        return trimmed.substring(trimmed.lastIndexOf('/') + 1);
    }
}
