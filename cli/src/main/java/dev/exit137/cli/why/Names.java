package dev.exit137.cli.why;

import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.ArrayList;
import java.util.List;

/**
 * The names of an event's subject. An empty one is not known.
 *
 * @param pid of the main process or of the victim, in decimal
 */
record Names(
        String node,
        String namespace,
        String pod,
        String podUid,
        String container,
        String containerId,
        String unit,
        String pid,
        String eventId) {

    static Names of(ExitEvent event) {
        return of(
                event.getNode().getName(),
                event.getContainer(),
                event.getUnit(),
                event.getProcess().hasPid()
                        ? Integer.toUnsignedString(event.getProcess().getPid())
                        : "",
                event.getEventId());
    }

    static Names of(OomKillEvent event) {
        return of(
                event.getNode().getName(),
                event.getContainer(),
                event.getUnit(),
                event.getVictim().hasPid()
                        ? Integer.toUnsignedString(event.getVictim().getPid())
                        : "",
                event.getEventId());
    }

    private static Names of(String node, Container container, String unit, String pid, String eventId) {
        return new Names(
                node,
                container.getPod().getNamespace(),
                container.getPod().getName(),
                container.getPod().getUid(),
                container.getName(),
                container.getId(),
                unit,
                pid,
                eventId);
    }

    boolean isInPod() {
        return !pod.isEmpty() || !podUid.isEmpty();
    }

    /** {@code shop/cart-0}. */
    String podName() {
        return namespace + "/" + (pod.isEmpty() ? podUid : pod);
    }

    /** The names that a person may have misspelt. */
    List<String> familiar() {
        List<String> names = new ArrayList<>();
        if (isInPod()) {
            names.add(podName() + (container.isEmpty() ? "" : "/" + container));
            names.add(pod);
        }
        names.add(container);
        names.add(unit);
        names.add(unit.replaceFirst("\\.service$", ""));
        names.removeIf(String::isEmpty);
        return names;
    }
}
