package dev.exit137.cli.render.report;

import dev.exit137.oomreport.explain.Part;
import dev.exit137.oomreport.explain.Sizes;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.Task;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** The largest tasks of the kernel's table, with a mark for the victims. */
final class TaskText {
    private static final int MAX_TASKS = 10;
    private static final int SHORT_ID_LENGTH = 12;
    private static final String COLUMNS = "%-7s  %7s  %-16s %10s  %6s %10s  %6s  %s";

    private TaskText() {}

    static void print(List<OomKillEvent> events, Page page) {
        OomKillEvent event = events.getFirst();
        Incident incident = event.getIncident();
        if (incident.getTasksCount() == 0) {
            return;
        }
        Set<Integer> victims = events.stream()
                .filter(kill -> kill.getVictim().hasPid())
                .map(kill -> kill.getVictim().getPid())
                .collect(Collectors.toSet());
        List<Task> tasks = incident.getTasksList().stream()
                .sorted(Comparator.comparingLong(Task::getRssBytes).reversed())
                .toList();
        List<String> lines = new ArrayList<>();
        lines.add(String.format(
                COLUMNS,
                "",
                "PID",
                "NAME",
                "RESIDENT",
                "SHARE",
                "IN SWAP",
                "ADJ",
                hasPlaces(tasks) ? "CONTAINER" : ""));
        long shown = 0;
        for (int i = 0; i < tasks.size(); i++) {
            boolean victim = victims.contains(tasks.get(i).getPid());
            // A victim that is not among the largest is what one wants to see, too; of a whole group, enough are.
            if (i < MAX_TASKS || (victim && shown < 2 * MAX_TASKS)) {
                lines.add(row(tasks.get(i), victim, Part.whole(event).orElse(0)));
                shown++;
            }
        }
        long more = tasks.size() - shown + incident.getTasksOmitted().getCount();
        if (more > 0) {
            lines.add(String.format("%-7s  and %s", "", Words.count(more, "other", "others")));
        }
        page.entry("tasks", lines);
    }

    /** @param whole for the share; 0 for none */
    private static String row(Task task, boolean victim, long whole) {
        return String.format(
                COLUMNS,
                victim ? "killed" : "",
                Integer.toUnsignedString(task.getPid()),
                Words.comm(task.getComm()),
                task.hasRssBytes() ? Sizes.text(task.getRssBytes()) : "-",
                task.hasRssBytes() && whole > 0 ? Sizes.share(task.getRssBytes(), whole) : "",
                task.hasSwapBytes() ? Sizes.text(task.getSwapBytes()) : "-",
                task.hasOomScoreAdj() ? Integer.toString(task.getOomScoreAdj()) : "-",
                container(task.getContainer()));
    }

    private static boolean hasPlaces(List<Task> tasks) {
        return tasks.stream().anyMatch(task -> !container(task.getContainer()).isEmpty());
    }

    /** The container's name, else the start of its id. */
    private static String container(Container container) {
        return container.getName().isEmpty()
                ? container.getId().substring(0, Math.min(container.getId().length(), SHORT_ID_LENGTH))
                : container.getName();
    }
}
