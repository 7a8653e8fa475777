package dev.exit137.oomreport.event;

import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.QosClass;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The information in a cgroup's path: its owner, and the container, pod and unit it belongs to. Nothing is guessed:
 * information that the path does not have stays empty.
 *
 * @param owner whose cgroup the last element is
 * @param ref the container that the cgroup is, or is in; null for none
 * @param podUid uid of the pod that the cgroup is, or is in, spelled with {@code -}; empty for none
 * @param qosClass of that pod
 * @param unit the innermost systemd unit around the cgroup that is not a container's unit; empty for none
 */
public record CgroupPath(Limit.Owner owner, @Nullable ContainerRef ref, String podUid, QosClass qosClass, String unit) {

    /**
     * A container as the path names it.
     *
     * @param runtime {@code containerd}, {@code cri-o}, {@code docker}, {@code podman}; empty where the path has only the
     *     id
     * @param id the whole id
     */
    public record ContainerRef(String runtime, String id) {}

    private static final String ID = "(?<id>[0-9a-f]{64})";
    // cri-containerd-<id>.scope, crio-<id>.scope, docker-<id>.scope, libpod-<id>.scope; crio-conmon-<id>.scope is the
    // container's monitor.
    private static final Pattern CONTAINER_SCOPE =
            Pattern.compile("(?<runtime>cri-containerd|crio|docker|libpod)-" + ID + "\\.scope");
    private static final Pattern BARE_ID = Pattern.compile(ID);
    // kubepods-burstable-pod<uid>.slice with _ for -, or pod<uid>; kubelet may have a prefix of its own (kind).
    private static final Pattern POD = Pattern.compile(
            "(?:(?:.*-)?kubepods(?:-(?:burstable|besteffort))?-)?pod(?<uid>[0-9a-f][0-9a-f_-]{30,})(?:\\.slice)?");
    private static final Pattern QOS =
            Pattern.compile("(?:(?:.*-)?kubepods-)?(?<qos>burstable|besteffort)(?:\\.slice)?");
    private static final Pattern KUBEPODS = Pattern.compile("(?:.*-)?kubepods(?:\\.slice)?");

    /** Reads a path as the kernel's log spells it. */
    public static CgroupPath parse(String path) {
        Limit.Owner owner = path.equals("/") ? Limit.Owner.NODE : Limit.Owner.UNSPECIFIED;
        ContainerRef container = null;
        String podUid = "";
        QosClass qos = QosClass.QOS_CLASS_UNSPECIFIED;
        String unit = "";
        boolean inKubepods = false;
        boolean containerInPod = false;
        String parent = "";
        for (String name : path.split("/", 0)) {
            if (name.isEmpty()) {
                continue;
            }
            Matcher qosMatcher = QOS.matcher(name);
            Matcher podMatcher = POD.matcher(name);
            Optional<ContainerRef> named = containerNamed(name, parent, !podUid.isEmpty());
            // On a node that is itself a container (kind) the pod's container is the inner one.
            boolean isPods = !podUid.isEmpty() && !containerInPod;
            if (named.isPresent() && (container == null || isPods)) {
                container = named.get();
                containerInPod = !podUid.isEmpty();
                unit = "";
                owner = Limit.Owner.CONTAINER;
            } else if (KUBEPODS.matcher(name).matches()) {
                inKubepods = true;
                owner = Limit.Owner.NODE_ALLOCATABLE;
            } else if (inKubepods && qosMatcher.matches()) {
                qos = qosMatcher.group("qos").equals("burstable")
                        ? QosClass.QOS_CLASS_BURSTABLE
                        : QosClass.QOS_CLASS_BEST_EFFORT;
                owner = Limit.Owner.QOS_CLASS;
            } else if (inKubepods && podUid.isEmpty() && podMatcher.matches()) {
                podUid = podMatcher.group("uid").replace('_', '-');
                qos = qos == QosClass.QOS_CLASS_UNSPECIFIED ? QosClass.QOS_CLASS_GUARANTEED : qos;
                owner = Limit.Owner.POD;
            } else if (name.endsWith(".service") || name.endsWith(".scope")) {
                unit = container == null ? name : unit;
                owner = Limit.Owner.UNIT;
            } else {
                owner = name.endsWith(".slice") ? Limit.Owner.SLICE : Limit.Owner.CGROUP;
            }
            parent = name;
        }
        return new CgroupPath(owner, container, podUid, qos, unit);
    }

    /** The container that the cgroup is, or is in; empty for none. */
    public Optional<ContainerRef> container() {
        return Optional.ofNullable(ref);
    }

    /** Adds the information in the victim's cgroup path to its event. */
    public static void describe(OomKillEvent.Builder event) {
        if (event.getCgroupPath().isEmpty()) {
            return;
        }
        CgroupPath path = parse(event.getCgroupPath());
        event.setUnit(path.unit());
        path.described().ifPresent(event::setContainer);
    }

    /** The container or pod, as far as the path names them; empty for neither. */
    public Optional<Container> described() {
        if (ref == null && podUid.isEmpty()) {
            return Optional.empty();
        }
        Container.Builder described = Container.newBuilder().setQosClass(qosClass);
        if (ref != null) {
            described.setRuntime(ref.runtime()).setId(ref.id());
        }
        if (!podUid.isEmpty()) {
            described.getPodBuilder().setUid(podUid);
        }
        return Optional.of(described.build());
    }

    private static Optional<ContainerRef> containerNamed(String name, String parent, boolean inPod) {
        Matcher scope = CONTAINER_SCOPE.matcher(name);
        if (scope.matches()) {
            String runtime = switch (scope.group("runtime")) {
                case "cri-containerd" -> "containerd";
                case "crio" -> "cri-o";
                case "libpod" -> "podman";
                default -> scope.group("runtime");
            };
            return Optional.of(new ContainerRef(runtime, scope.group("id")));
        }
        if (BARE_ID.matcher(name).matches()) {
            return switch (parent) {
                case "docker" -> Optional.of(new ContainerRef("docker", name));
                case "k8s.io" -> Optional.of(new ContainerRef("containerd", name));
                default -> inPod ? Optional.of(new ContainerRef("", name)) : Optional.empty();
            };
        }
        return Optional.empty();
    }
}
