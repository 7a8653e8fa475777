package dev.exit137.agent.container;

import dev.exit137.agent.Await;
import dev.exit137.agent.exit.EndListener;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.RuntimeAction;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;

/** Keeps every end that is delivered. */
public final class ToldEnds implements EndListener {
    private final List<End> told = new CopyOnWriteArrayList<>();

    @Override
    public void onEnd(End end) {
        told.add(end);
    }

    public List<End> all() {
        return told;
    }

    /** The ends of a container, in the order of delivery. */
    public List<End> of(String id) {
        return told.stream()
                .filter(end -> end.reported().getContainer().getId().equals(id))
                .toList();
    }

    /** The first end that is as wanted. */
    public End await(String id, Predicate<End> wanted) {
        return Await.until(
                        "an end of " + id, () -> of(id), ends -> ends.stream().anyMatch(wanted))
                .stream()
                .filter(wanted)
                .findFirst()
                .orElseThrow();
    }

    /** The end whose last action is this. */
    public End await(String id, RuntimeAction.Kind last) {
        return await(
                id, end -> !end.actions().isEmpty() && end.actions().getLast().kind() == last);
    }

    /** In words: {@code KILL 15, KILL 9, DIE 137, STOP}. */
    public static String words(End end) {
        return String.join(
                ", ",
                end.actions().stream()
                        .map(action -> action.kind()
                                + (action.signal() == null ? "" : " " + action.signal())
                                + (action.exitCode() == null ? "" : " " + action.exitCode()))
                        .toList());
    }
}
