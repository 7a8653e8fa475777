package dev.exit137.cli.local;

import dev.exit137.exitreport.facts.RuntimeAction;
import dev.exit137.exitreport.facts.RuntimeAction.Kind;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Cuts the events of one container into its lives. As Docker 20.10 tells them: a stop is {@code kill 15, kill 9, die,
 * stop}, a restart {@code kill 15, die, stop, start, restart}, {@code rm -f} is {@code kill 9, die, destroy}, and an OOM
 * {@code oom, die}. What follows a {@code die} within a moment belongs to that end.
 */
final class DockerLives {
    private static final Duration AFTER_END = Duration.ofSeconds(10);

    /**
     * A life that ended.
     *
     * @param started null if the events begin later
     * @param exitCode as {@code die} says it; null if it does not
     */
    record Life(
            @Nullable Instant started,
            Instant ended,
            @Nullable Integer exitCode,
            List<RuntimeAction> actions) {}

    private final List<Life> lives = new ArrayList<>();
    private List<RuntimeAction> actions = new ArrayList<>();
    private @Nullable Instant started;

    /** The lives of a container whose events are these, oldest first. */
    static List<Life> of(List<DockerEvent> events) {
        DockerLives lives = new DockerLives();
        events.forEach(lives::add);
        return lives.lives;
    }

    private void add(DockerEvent event) {
        switch (event.action()) {
            case "start" -> {
                actions = new ArrayList<>();
                started = event.time();
            }
            case "die" -> {
                actions.add(new RuntimeAction(Kind.DIE, event.time(), null, null, event.exitCode()));
                lives.add(new Life(started, event.time(), event.exitCode(), actions));
                // What follows goes into the same list until the next start.
                started = null;
            }
            case "kill" -> actions.add(new RuntimeAction(Kind.KILL, event.time(), event.signal(), null));
            case "oom" -> actions.add(action(Kind.OOM, event));
            case "pause" -> actions.add(action(Kind.PAUSE, event));
            case "stop" -> addToEnd(Kind.STOP, event);
            case "destroy" -> addToEnd(Kind.DESTROY, event);
            case "restart" -> addToEnd(Kind.RESTART, event);
            default -> {
                // create, attach, exec_create and others say nothing of an end.
            }
        }
    }

    private void addToEnd(Kind kind, DockerEvent event) {
        if (!lives.isEmpty() && !event.time().isAfter(lives.getLast().ended().plus(AFTER_END))) {
            lives.getLast().actions().add(action(kind, event));
        }
    }

    private static RuntimeAction action(Kind kind, DockerEvent event) {
        return new RuntimeAction(kind, event.time(), null, null);
    }
}
