package dev.exit137.cli.render.report;

import dev.exit137.cli.analyze.AnalyzedIncident;
import dev.exit137.oomreport.explain.GfpMask;
import dev.exit137.oomreport.explain.Sizes;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.Trigger;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** One OOM on a page: the kill, the limit or the zones, the use of memory, and advice. */
public final class IncidentText {
    private static final int MAX_VICTIMS = 6;
    private static final int MAX_KILLED = 20;
    private static final int NAME_WIDTH = 11;
    private static final int MAX_ORDER = 30;

    private IncidentText() {}

    /** Prints the page and an empty line. An unknown field has no line. */
    public static void print(AnalyzedIncident analyzed, PrintWriter out) {
        OomKillEvent event = analyzed.events().getFirst();
        Page page = new Page(out);
        page.title(headline(analyzed));
        page.paragraph(event.getExplanation());
        page.list("to do", event.getRecommendationsList());
        page.entry("killed", killed(analyzed.events()));
        page.entry("limit", limit(event));
        NodeText.print(event, page);
        MemoryText.print(event, page);
        TaskText.print(analyzed.events(), page);
        page.entry("trigger", trigger(event));
        page.entry("kernel", event.getNode().getKernelRelease());
        page.entry("missing", missing(analyzed));
        page.blank();
    }

    /** The lines of one event about the node, the use of memory, and the processes that held it. */
    public static List<String> memory(OomKillEvent event) {
        StringWriter text = new StringWriter();
        Page page = new Page(new PrintWriter(text));
        NodeText.print(event, page);
        MemoryText.print(event, page);
        TaskText.print(List.of(event), page);
        return text.toString().lines().toList();
    }

    private static String headline(AnalyzedIncident analyzed) {
        OomKillEvent event = analyzed.events().getFirst();
        return "OOM" + (analyzed.printedTime().isEmpty() ? "" : " at " + analyzed.printedTime()) + ", line "
                + analyzed.firstLine() + (event.getScope() == Scope.UNKNOWN ? "" : ", " + Words.scope(event.getScope()))
                + ": "
                + victims(analyzed.events());
    }

    private static String victims(List<OomKillEvent> events) {
        OomKillEvent event = events.getFirst();
        if (event.getOutcome() != Outcome.KILLED) {
            return Words.withoutKill(event.getOutcome());
        }
        String names = events.stream()
                .limit(MAX_VICTIMS)
                .map(kill -> Words.victim(kill.getVictim()))
                .collect(Collectors.joining(", ", "killed ", ""));
        return names + (events.size() > MAX_VICTIMS ? " and " + (events.size() - MAX_VICTIMS) + " more" : "");
    }

    /** Lists the victims if there are several; a single one is in the sentence above. */
    private static List<String> killed(List<OomKillEvent> events) {
        List<String> lines = new ArrayList<>();
        if (events.size() > 1) {
            events.stream()
                    .limit(MAX_KILLED)
                    .map(OomKillEvent::getVictim)
                    .forEach(victim -> lines.add(String.format(
                            "%-24s %10s%s",
                            Words.victim(victim),
                            Words.held(victim),
                            victim.hasOomScoreAdj() ? "  oom_score_adj " + victim.getOomScoreAdj() : "")));
        }
        if (events.size() > MAX_KILLED) {
            lines.add("and " + (events.size() - MAX_KILLED) + " more");
        }
        return lines;
    }

    private static List<String> limit(OomKillEvent event) {
        List<String> lines = new ArrayList<>();
        if (event.getScope() != Scope.MEMCG) {
            return lines;
        }
        Limit limit = event.getIncident().getLimit();
        add(lines, "of", limit.getCgroup());
        String victims = Words.cgroup(event);
        String victimIn = event.hasVictim() ? "victim in" : "task in";
        boolean below = !limit.getCgroup().isEmpty() && victims.startsWith(limit.getCgroup() + "/");
        if (below) {
            add(lines, victimIn, "…" + victims.substring(limit.getCgroup().length()));
        } else if (!victims.equals(limit.getCgroup())) {
            add(lines, victimIn, victims);
        }
        String memory =
                usage(limit.hasUsageBytes(), limit.getUsageBytes(), limit.hasLimitBytes(), limit.getLimitBytes());
        String hits = limit.getFailcnt() > 0 ? ", hit " + Words.count(limit.getFailcnt(), "time", "times") : "";
        add(lines, "memory", memory.isEmpty() ? "" : memory + hits);
        add(
                lines,
                limit.getSwapIncludesMemory() ? "and swap" : "swap",
                usage(
                        limit.hasSwapUsageBytes(),
                        limit.getSwapUsageBytes(),
                        limit.hasSwapLimitBytes(),
                        limit.getSwapLimitBytes()));
        add(
                lines,
                "kernel",
                usage(
                        limit.hasKmemUsageBytes(),
                        limit.getKmemUsageBytes(),
                        limit.hasKmemLimitBytes(),
                        limit.getKmemLimitBytes()));
        return lines;
    }

    private static void add(List<String> lines, String name, String value) {
        if (!value.isEmpty()) {
            String head = name;
            for (String line : Page.wrapBeside(NAME_WIDTH, value)) {
                lines.add(String.format("%-9s  %s", head, line));
                head = "";
            }
        }
    }

    private static String usage(boolean hasUsage, long usage, boolean hasLimit, long limit) {
        if (usage == 0 && hasLimit && (limit == 0 || !Sizes.isLimit(limit))) {
            return limit == 0 ? "none allowed" : "";
        }
        String most = !hasLimit ? "" : Sizes.isLimit(limit) ? "of " + Sizes.text(limit) : "without a limit";
        return ((hasUsage ? Sizes.text(usage) + " " : "") + most).strip();
    }

    private static String trigger(OomKillEvent event) {
        Trigger trigger = event.getIncident().getTrigger();
        if (trigger.getComm().isEmpty()) {
            return "";
        }
        StringBuilder text = new StringBuilder(trigger.getComm());
        if (trigger.hasPid()) {
            text.append(" (").append(Integer.toUnsignedString(trigger.getPid())).append(')');
        }
        if (trigger.hasOrder() && trigger.getOrder() < 0) {
            return text.append(", order ")
                    .append(trigger.getOrder())
                    .append(": asked for by sysrq")
                    .toString();
        }
        if (trigger.hasOrder()) {
            text.append(" asked for ").append(pages(event.getIncident(), Math.min(trigger.getOrder(), MAX_ORDER)));
        }
        if (!trigger.getGfpMask().isEmpty()) {
            String names = GfpMask.names(trigger.getGfpMask(), event.getNode().getKernelRelease());
            text.append(", gfp ")
                    .append(trigger.getGfpMask().replaceFirst("\\(.*", ""))
                    .append(names.isEmpty() ? " (not decoded, for the bits of this kernel are not known)" : " ")
                    .append(names.replace("|", " | "));
        }
        return text.append(trigger.getOomScoreAdj() == 0 ? "" : ", oom_score_adj " + trigger.getOomScoreAdj())
                .toString();
    }

    /** {@code 8 pages (order 3, 32.0 KiB)}. */
    private static String pages(Incident incident, int order) {
        return Words.count(1L << order, "page", "pages") + " (order " + order
                + (incident.hasPageSizeBytes() ? ", " + Sizes.text(incident.getPageSizeBytes() << order) : "") + ")";
    }

    /** The parts of a complete report that this report lacks. */
    private static String missing(AnalyzedIncident analyzed) {
        OomKillEvent event = analyzed.events().getFirst();
        Incident incident = event.getIncident();
        List<String> missing = new ArrayList<>();
        missing(missing, incident.getTrigger().getComm().isEmpty(), "who asked for memory");
        missing(missing, event.getScope() == Scope.UNKNOWN, "what ran out");
        boolean memcg = event.getScope() == Scope.MEMCG;
        missing(missing, memcg && incident.getLimit().getCgroup().isEmpty(), "whose limit it was");
        missing(missing, memcg && !incident.getLimit().hasLimitBytes(), "the limit's size");
        missing(missing, event.getOutcome() == Outcome.KILL_NOT_SEEN, "the kill");
        missing(missing, !incident.hasMemory(), "where the memory was");
        missing(missing, incident.getTasksCount() == 0, "the task table");
        missing(
                missing,
                incident.getReportBytesOmitted() > 0,
                Words.count(incident.getReportBytesOmitted(), "byte", "bytes")
                        + " of the report, for which there was no room");
        missing(
                missing,
                analyzed.reportsSuppressed() > 0,
                Words.count(analyzed.reportsSuppressed(), "report", "reports")
                        + " before this, left out by the kernel");
        missing(missing, incident.getPageSizeAssumed(), "the size of a page (4 KiB taken)");
        return String.join(", ", missing);
    }

    private static void missing(List<String> missing, boolean isMissing, String what) {
        if (isMissing) {
            missing.add(what);
        }
    }
}
