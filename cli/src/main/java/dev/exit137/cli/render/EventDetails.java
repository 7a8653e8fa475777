package dev.exit137.cli.render;

import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.Trigger;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** One kill on a page, with all details that have no room in the line of a list. */
public final class EventDetails {
    private static final int TEXT_WIDTH = 89;

    private EventDetails() {}

    /** The lines of the page, without lines for unknown fields. */
    public static List<String> of(OomKillEvent event, ZoneId zone) {
        List<String> lines = new ArrayList<>();
        add(lines, "event", event.getEventId() + " (revision " + event.getRevision() + ")");
        add(
                lines,
                "time",
                Text.time(event.getTime(), zone) + (event.getRecovered() ? ", before the agent watched" : ""));
        add(lines, "node", event.getNode().getName());
        add(lines, "kernel", event.getNode().getKernelRelease());
        add(lines, "where", EventLine.where(event));
        add(lines, "cgroup", event.getCgroupPath());
        event.getCandidatesList().forEach(candidate -> add(lines, "may be", candidate));
        add(lines, "image", event.getContainer().getImage());
        add(lines, "victim", EventLine.victim(event) + ", held " + EventLine.held(event));
        add(lines, "trigger", trigger(event.getIncident().getTrigger()));
        add(lines, "limit", EventLine.limit(event));
        add(
                lines,
                "incident",
                event.getIncident().getId() + ", kills so far: "
                        + event.getIncident().getKillsSoFar());
        add(
                lines,
                "certainty",
                word(event.getCertainty())
                        + event.getEvidenceList().stream()
                                .map(EventDetails::word)
                                .collect(Collectors.joining(", ", " (", ")")));
        addText(lines, "why", event.getExplanation());
        event.getRecommendationsList().forEach(recommendation -> addText(lines, "advice", recommendation));
        return lines;
    }

    private static String trigger(Trigger trigger) {
        if (trigger.getComm().isEmpty()) {
            return "";
        }
        return trigger.getComm() + (trigger.hasPid() ? "(" + trigger.getPid() + ")" : "") + " asked for memory"
                + (trigger.getGfpMask().isEmpty() ? "" : ", gfp " + trigger.getGfpMask());
    }

    private static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }

    private static void add(List<String> lines, String name, String value) {
        if (!value.isEmpty()) {
            lines.add(String.format(Locale.ROOT, "%-10s %s", name, Text.printable(value)));
        }
    }

    /** The text on as many lines as it needs. */
    private static void addText(List<String> lines, String name, String text) {
        String label = name;
        for (String line : Text.wrap(text, TEXT_WIDTH)) {
            add(lines, label, line);
            label = "";
        }
    }
}
