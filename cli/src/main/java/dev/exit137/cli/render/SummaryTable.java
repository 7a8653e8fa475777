package dev.exit137.cli.render;

import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.EventCounts;
import dev.exit137.proto.v1.EventGroup;
import dev.exit137.proto.v1.GroupKey;
import dev.exit137.proto.v1.SummarizeEventsRequest;
import dev.exit137.proto.v1.SummarizeEventsRequest.Dimension;
import dev.exit137.proto.v1.SummarizeEventsResponse;
import dev.exit137.proto.v1.SummarizeExitsRequest;
import dev.exit137.proto.v1.TimeBucket;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** A table of counts: one line for each group, or for each time span and group, the earliest span first. */
public final class SummaryTable {
    /** The counts of the table, by the names of their columns. */
    private enum Counts {
        KILLS,
        ENDS;

        List<String> header() {
            return this == KILLS ? List.of("KILLS", "OOMS") : List.of("ENDS", "SIGKILL", "OOM");
        }

        List<String> of(EventCounts counts) {
            String kills = Long.toUnsignedString(counts.getKills());
            String ooms = Long.toUnsignedString(counts.getOoms());
            return this == KILLS
                    ? List.of(kills, ooms)
                    : List.of(Long.toUnsignedString(counts.getEvents()), kills, ooms);
        }
    }

    private final List<Dimension> dimensions;
    private final List<String> labels;
    private final Counts counts;
    private final ZoneId zone;

    private SummaryTable(List<Dimension> dimensions, List<String> labels, Counts counts, ZoneId zone) {
        this.dimensions = dimensions;
        this.labels = labels;
        this.counts = counts;
        this.zone = zone;
    }

    /** The lines of a table of OOM kills, its header first, the total last. */
    public static List<String> of(SummarizeEventsRequest request, SummarizeEventsResponse summary, ZoneId zone) {
        return new SummaryTable(request.getByList(), request.getByLabelsList(), Counts.KILLS, zone).lines(summary);
    }

    /** The lines of a table of ends. */
    public static List<String> of(SummarizeExitsRequest request, SummarizeEventsResponse summary, ZoneId zone) {
        return new SummaryTable(request.getByList(), request.getByLabelsList(), Counts.ENDS, zone).lines(summary);
    }

    private List<String> lines(SummarizeEventsResponse summary) {
        boolean spans = summary.getTotal().getBucketsCount() > 0;
        List<List<String>> rows = spans ? spans(summary) : groups(summary);
        return Columns.aligned(rows, counts.header().toArray(String[]::new));
    }

    private List<List<String>> groups(SummarizeEventsResponse summary) {
        String offset = offset(summary);
        List<List<String>> rows = new ArrayList<>();
        rows.add(row(header(), row(counts.header(), List.of("FIRST (" + offset + ")", "LAST (" + offset + ")"))));
        for (EventGroup group : shown(summary)) {
            rows.add(row(name(group, summary), whole(group.getCounts())));
        }
        if (!isTotalOnly()) {
            rows.add(row(filled("all"), whole(summary.getTotal().getCounts())));
        }
        return rows;
    }

    private List<List<String>> spans(SummarizeEventsResponse summary) {
        record Span(TimeBucket bucket, EventGroup group) {}
        List<Span> spans = new ArrayList<>();
        for (EventGroup group : shown(summary)) {
            group.getBucketsList().forEach(bucket -> spans.add(new Span(bucket, group)));
        }
        // The sort keeps the order of the groups within a span.
        spans.sort(Comparator.comparing(span -> Text.instant(span.bucket().getStart())));
        List<List<String>> rows = new ArrayList<>();
        rows.add(row(List.of("FROM (" + offset(summary) + ")"), row(header(), counts.header())));
        for (Span span : spans) {
            List<String> time =
                    List.of(span.bucket().hasStart() ? time(span.bucket().getStart()) : "-");
            rows.add(row(
                    time,
                    row(name(span.group(), summary), counts.of(span.bucket().getCounts()))));
        }
        rows.add(
                row(List.of("all"), row(filled(""), counts.of(summary.getTotal().getCounts()))));
        return rows;
    }

    private List<EventGroup> shown(SummarizeEventsResponse summary) {
        if (isTotalOnly()) {
            return List.of(summary.getTotal());
        }
        List<EventGroup> shown = new ArrayList<>(summary.getGroupsList());
        if (summary.hasOthers()) {
            shown.add(summary.getOthers());
        }
        return shown;
    }

    private boolean isTotalOnly() {
        return header().isEmpty();
    }

    private List<String> header() {
        List<String> header = new ArrayList<>();
        dimensions.forEach(dimension -> header.add(dimension.name().replace('_', ' ')));
        header.addAll(labels);
        return header;
    }

    private List<String> name(EventGroup group, SummarizeEventsResponse summary) {
        if (!group.hasKey()) {
            return filled(summary.getGroupsOmitted() == 1 ? "1 other" : summary.getGroupsOmitted() + " others");
        }
        List<String> name = new ArrayList<>();
        dimensions.forEach(dimension -> name.add(orDash(value(group.getKey(), dimension))));
        labels.forEach(label -> name.add(orDash(group.getKey().getLabelsOrDefault(label, ""))));
        return name;
    }

    /** A row with as many values as a key has; the first is the text. */
    private List<String> filled(String text) {
        List<String> name = new ArrayList<>(Collections.nCopies(header().size(), ""));
        if (!name.isEmpty()) {
            name.set(0, text);
        }
        return name;
    }

    private static String value(GroupKey key, Dimension dimension) {
        return switch (dimension) {
            case NAMESPACE -> key.getNamespace();
            case POD -> key.getPod();
            case CONTAINER -> key.getContainer();
            case NODE -> key.getNode();
            case SCOPE -> word(key.getScope());
            case LIMIT_OWNER -> word(key.getLimitOwner());
            case UNIT -> key.getUnit();
            case CAUSE -> key.hasCause() ? word(key.getCause()) : "";
            case EXIT_CODE -> key.hasExitCode() ? Integer.toString(key.getExitCode()) : "";
            case DIMENSION_UNSPECIFIED, UNRECOGNIZED -> "";
        };
    }

    private static String word(Enum<?> value) {
        return value.name().equals("UNSPECIFIED")
                ? ""
                : value.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }

    private static String orDash(String value) {
        return value.isEmpty() ? "-" : Text.printable(value);
    }

    private List<String> whole(EventCounts group) {
        return row(
                counts.of(group),
                List.of(
                        group.hasFirstTime() ? time(group.getFirstTime()) : "-",
                        group.hasLastTime() ? time(group.getLastTime()) : "-"));
    }

    private String time(Timestamp time) {
        return Text.time(time, zone);
    }

    private String offset(SummarizeEventsResponse summary) {
        Instant last = Text.instant(summary.getTotal().getCounts().getLastTime());
        return Text.offset(zone, last);
    }

    private static List<String> row(List<String> left, List<String> right) {
        List<String> row = new ArrayList<>(left);
        row.addAll(right);
        return row;
    }
}
