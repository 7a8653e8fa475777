package dev.exit137.cli.render.report;

import dev.exit137.cli.render.ExitLine;
import dev.exit137.cli.why.Fact;
import dev.exit137.cli.why.WhyAnswer;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.OomKillEvent;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;

/** The answer to why: a sentence for each of the last ends, a page for the newest, OOM kills, and facts beside them. */
public final class WhyText {
    private WhyText() {}

    /** The lines of the answer. */
    public static List<String> of(WhyAnswer answer, ZoneId zone) {
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text);
        Page page = new Page(out);
        page.title(answer.name() + ": " + headline(answer));
        // One end alone is on its page.
        for (ExitEvent exit : answer.exits().size() > 1 ? answer.exits() : List.<ExitEvent>of()) {
            page.paragraph(ExitLine.time(exit.getTime(), zone) + "  "
                    + (exit.getExplanation().isEmpty() ? ExitLine.cause(exit.getCause()) : exit.getExplanation()));
        }
        page.blank();
        out.flush();
        List<String> lines = new ArrayList<>(text.toString().lines().toList());
        if (!answer.exits().isEmpty()) {
            lines.addAll(ExitText.page(answer.exits().getFirst(), answer.restarted(), zone));
            lines.add("");
        }
        lines.addAll(beside(answer, zone));
        while (lines.getLast().isEmpty()) {
            lines.removeLast();
        }
        return lines;
    }

    private static String headline(WhyAnswer answer) {
        int count = answer.exits().size();
        if (count > 0) {
            return count == 1 ? "its last end" : "its last " + count + " ends, newest first";
        }
        return answer.kills().isEmpty() ? "no end is known" : "no end is known, but OOM kills in it";
    }

    /** What is not about the newest end alone. */
    private static List<String> beside(WhyAnswer answer, ZoneId zone) {
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text);
        Page page = new Page(out);
        if (!answer.kills().isEmpty()) {
            page.title("OOM kills in it, newest first");
            for (OomKillEvent kill : answer.kills()) {
                String time = kill.hasTime() ? ExitLine.time(kill.getTime(), zone) : "time not known";
                page.paragraph(time + "  " + sentence(kill));
            }
            page.blank();
        }
        if (!answer.facts().isEmpty() || !answer.unread().isEmpty()) {
            page.title("Beside it");
            page.list("certain", texts(answer.facts(), true));
            page.list("possible", texts(answer.facts(), false));
            page.list("not read", answer.unread());
        }
        out.flush();
        return text.toString().lines().toList();
    }

    private static List<String> texts(List<Fact> facts, boolean certain) {
        return facts.stream()
                .filter(fact -> fact.certain() == certain)
                .map(Fact::text)
                .toList();
    }

    private static String sentence(OomKillEvent kill) {
        return kill.getExplanation().isEmpty()
                ? "The kernel killed " + Words.victim(kill.getVictim()) + ", which held " + Words.held(kill.getVictim())
                        + "."
                : kill.getExplanation();
    }
}
