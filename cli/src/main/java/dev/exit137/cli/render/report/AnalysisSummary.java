package dev.exit137.cli.render.report;

import dev.exit137.cli.analyze.AnalyzedIncident;
import dev.exit137.cli.analyze.LogTotals;
import dev.exit137.oomreport.explain.CgroupName;
import dev.exit137.oomreport.explain.Explainer;
import dev.exit137.oomreport.explain.Sizes;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;

/** Summarizes all OOMs of a log: repetitions and their times. Its memory is bounded. For one thread. */
public final class AnalysisSummary {
    private static final int MAX_ROWS = 8;

    private final Map<Scope, Long> scopes = new EnumMap<>(Scope.class);
    private final Map<Outcome, Long> withoutKill = new EnumMap<>(Outcome.class);
    private final Tally victims = new Tally();
    private final Tally limits = new Tally();
    private final Tally advice = new Tally();
    private final Rate wallRate = new Rate();
    private final Rate bootRate = new Rate();
    private long incidents;
    private long kills;
    private long withTime;
    private long withKernelTime;
    private String firstTime = "";
    private String lastTime = "";

    /** Counts one more incident; keeps only numbers and a bounded number of names. */
    public void add(AnalyzedIncident analyzed) {
        OomKillEvent event = analyzed.events().getFirst();
        incidents++;
        scopes.merge(event.getScope(), 1L, Long::sum);
        countTime(event, analyzed.printedTime());
        Limit limit = event.getIncident().getLimit();
        if (!limit.getCgroup().isEmpty() && event.getScope() == Scope.MEMCG) {
            limits.add(limit.getCgroup(), limit.hasLimitBytes() ? Sizes.text(limit.getLimitBytes()) : "");
        }
        event.getRecommendationsList().forEach(this::countAdvice);
        Set<String> names = new HashSet<>();
        for (OomKillEvent kill : analyzed.events()) {
            if (kill.getOutcome() == Outcome.KILLED) {
                kills++;
                names.add(Words.comm(kill.getVictim().getComm()) + Words.home(kill));
            } else {
                withoutKill.merge(kill.getOutcome(), 1L, Long::sum);
            }
        }
        // The workers of one group that was killed repeat nothing: it takes another OOM.
        names.forEach(name -> victims.add(name, ""));
    }

    private void countTime(OomKillEvent event, String printedTime) {
        if (!printedTime.isEmpty()) {
            firstTime = firstTime.isEmpty() ? printedTime : firstTime;
            lastTime = printedTime;
        }
        if (event.hasTime()) {
            withTime++;
            wallRate.add(Duration.ofSeconds(
                    event.getTime().getSeconds(), event.getTime().getNanos()));
        }
        if (event.hasKernelTime()) {
            withKernelTime++;
            bootRate.add(Duration.ofSeconds(
                    event.getKernelTime().getSeconds(), event.getKernelTime().getNanos()));
        }
    }

    private void countAdvice(String recommendation) {
        int end = recommendation.indexOf(Explainer.EVIDENCE_FOLLOWS);
        String words = end < 0 ? recommendation : recommendation.substring(0, end);
        advice.add(words, end < 0 ? "" : recommendation.substring(end + Explainer.EVIDENCE_FOLLOWS.length()));
    }

    /** Prints the summary and the totals of the log; call it after the last {@link #add}. */
    public void print(LogTotals totals, PrintWriter out) {
        Page page = new Page(out);
        page.title(
                incidents == 0
                        ? "No OOM found."
                        : "In all: " + Words.count(incidents, "OOM", "OOMs") + ", "
                                + Words.count(kills, "process", "processes") + " killed");
        page.entry("read", read(totals));
        if (incidents > 0) {
            page.entry("scope", scopes());
            page.entry("no kill", withoutKill());
            page.entry("when", when());
            page.entry(
                    "victims",
                    rows(
                            victims,
                            victims.rows(2).stream()
                                    .map(row -> row.count() + " × killed " + row.name())
                                    .toList()));
            page.entry(
                    "limits",
                    rows(
                            limits,
                            limits.rows(2).stream()
                                    .map(row -> row.count() + " × " + CgroupName.of(row.name())
                                            + (row.detail().isEmpty() ? "" : ", " + row.detail()))
                                    .toList()));
        }
        // A single one's page has said it.
        if (incidents > 1) {
            page.list(
                    "to do",
                    rows(
                            advice,
                            advice.rows(1).stream()
                                    .map(row -> row.count() + " × " + row.name() + evidence(row))
                                    .toList()));
        }
    }

    private static String evidence(Tally.Row row) {
        return row.detail().isEmpty() ? "" : (row.count() > 1 ? "; last: " : ": ") + row.detail();
    }

    private static String read(LogTotals totals) {
        return Words.count(totals.lines(), "line", "lines") + ", " + Sizes.text(totals.bytes())
                + (totals.linesCut() == 0
                        ? ""
                        : "; " + Words.count(totals.linesCut(), "line was", "lines were")
                                + " too long, and only the beginning was read")
                + (totals.reportsSuppressed() == 0
                        ? ""
                        : "; the kernel left out " + Words.count(totals.reportsSuppressed(), "report", "reports")
                                + " (rate limit)");
    }

    private String scopes() {
        StringJoiner text = new StringJoiner(", ");
        scopes.forEach((scope, count) -> text.add(Words.scope(scope) + " " + count));
        return scopes.size() == 1 && scopes.containsKey(Scope.UNKNOWN) ? "" : text.toString();
    }

    private String withoutKill() {
        StringJoiner text = new StringJoiner(", ");
        withoutKill.forEach((outcome, count) -> text.add(Words.withoutKill(outcome) + " " + count));
        return text.toString();
    }

    private List<String> when() {
        List<String> lines = new ArrayList<>();
        if (!firstTime.isEmpty() && incidents > 1) {
            lines.add("from " + firstTime + " to " + lastTime);
        }
        Rate rate = withTime == incidents ? wallRate : bootRate;
        boolean known = withTime == incidents || withKernelTime == incidents;
        if (known && rate.isDrawable()) {
            lines.add("|" + rate.bars() + "| a column is " + span(rate.span()) + ", the highest is "
                    + Words.count(rate.most(), "OOM", "OOMs"));
        } else if (known && rate.disordered > 0) {
            lines.add("the clock goes back: the log is of more than one boot, or was put together");
        }
        return lines;
    }

    private static String span(Duration span) {
        if (span.toDays() > 1) {
            return span.toDays() + " d";
        }
        return span.toHours() > 1 ? span.toHours() + " h" : span.toMinutes() + " min";
    }

    /** The first entries, and the number of further ones. */
    private static List<String> rows(Tally tally, List<String> rows) {
        List<String> shown = new ArrayList<>(rows.subList(0, Math.min(rows.size(), MAX_ROWS)));
        if (rows.size() > MAX_ROWS) {
            shown.add("and " + (rows.size() - MAX_ROWS) + " more");
        }
        if (tally.beyond > 0) {
            shown.add(tally.beyond + " others were not told apart");
        }
        return shown;
    }
}
