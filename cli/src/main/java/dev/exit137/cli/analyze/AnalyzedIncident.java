package dev.exit137.cli.analyze;

import dev.exit137.proto.v1.OomKillEvent;
import java.util.List;

/**
 * One OOM as a saved log tells it, when nothing more will come of it.
 *
 * @param events one per killed process, in the log's order; a single one without a victim where the log tells of no
 *     kill
 * @param printedTime time of the first line that belongs to it, as it is printed there ({@code Mar  3 04:05:06}, {@code
 *     12345.678901}); empty where the line has none. The events have it as an instant only where it says its offset
 * @param firstLine number of that line in the log, from 1
 * @param lastLine number of the last line that belongs to it
 * @param reportsSuppressed reports of an OOM that the kernel says it left out before this one (rate limit)
 */
public record AnalyzedIncident(
    List<OomKillEvent> events, String printedTime, long firstLine, long lastLine, long reportsSuppressed) {
  public AnalyzedIncident {
    events = List.copyOf(events);
  }
}
