package dev.exit137.cli.analyze;

import dev.exit137.proto.v1.OomKillEvent;
import java.util.List;

/**
 * One complete OOM of a saved log.
 *
 * @param events one per killed process, in the log's order; a single one without a victim if the log has no kill
 * @param printedTime time of its first line, as it is printed there ({@code Mar  3 04:05:06}, {@code 12345.678901});
 *     empty if the line has none. The events have it as an instant only if it has an offset from UTC
 * @param firstLine number of that line in the log, from 1
 * @param lastLine number of the last line that belongs to it
 * @param reportsSuppressed number of OOM reports that the kernel left out before this one, as it says (rate limit)
 */
public record AnalyzedIncident(
        List<OomKillEvent> events, String printedTime, long firstLine, long lastLine, long reportsSuppressed) {
    public AnalyzedIncident {
        events = List.copyOf(events);
    }
}
