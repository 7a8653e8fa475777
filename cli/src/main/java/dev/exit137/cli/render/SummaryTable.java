package dev.exit137.cli.render;

import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.EventCounts;
import dev.exit137.proto.v1.EventGroup;
import dev.exit137.proto.v1.GroupKey;
import dev.exit137.proto.v1.SummarizeEventsRequest;
import dev.exit137.proto.v1.SummarizeEventsRequest.Dimension;
import dev.exit137.proto.v1.SummarizeEventsResponse;
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
    private final SummarizeEventsRequest request;
    private final ZoneId zone;

    private SummaryTable(SummarizeEventsRequest request, ZoneId zone) {
        this.request = request;
        this.zone = zone;
    }

    /** The lines of the table, its header first, the total last. */
    public static List<String> of(SummarizeEventsRequest request, SummarizeEventsResponse summary, ZoneId zone) {
        boolean spans = summary.getTotal().getBucketsCount() > 0;
        SummaryTable table = new SummaryTable(request, zone);
        List<List<String>> rows = spans ? table.spans(summary) : table.groups(summary);
        return Columns.aligned(rows, "KILLS", "OOMS");
    }

    private List<List<String>> groups(SummarizeEventsResponse summary) {
        String offset = offset(summary);
        List<List<String>> rows = new ArrayList<>();
        rows.add(row(header(), List.of("KILLS", "OOMS", "FIRST (" + offset + ")", "LAST (" + offset + ")")));
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
        rows.add(row(List.of("FROM (" + offset(summary) + ")"), row(header(), List.of("KILLS", "OOMS"))));
        for (Span span : spans) {
            List<String> time =
                    List.of(span.bucket().hasStart() ? time(span.bucket().getStart()) : "-");
            rows.add(row(
                    time, row(name(span.group(), summary), counts(span.bucket().getCounts()))));
        }
        rows.add(row(List.of("all"), row(filled(""), counts(summary.getTotal().getCounts()))));
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
        request.getByList().forEach(dimension -> header.add(dimension.name().replace('_', ' ')));
        header.addAll(request.getByLabelsList());
        return header;
    }

    private List<String> name(EventGroup group, SummarizeEventsResponse summary) {
        if (!group.hasKey()) {
            return filled(summary.getGroupsOmitted() == 1 ? "1 other" : summary.getGroupsOmitted() + " others");
        }
        List<String> name = new ArrayList<>();
        request.getByList().forEach(dimension -> name.add(orDash(value(group.getKey(), dimension))));
        request.getByLabelsList()
                .forEach(label -> name.add(orDash(group.getKey().getLabelsOrDefault(label, ""))));
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
            case CAUSE -> word(key.getCause());
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

    private List<String> whole(EventCounts counts) {
        return row(
                counts(counts),
                List.of(
                        counts.hasFirstTime() ? time(counts.getFirstTime()) : "-",
                        counts.hasLastTime() ? time(counts.getLastTime()) : "-"));
    }

    private static List<String> counts(EventCounts counts) {
        return List.of(Long.toUnsignedString(counts.getKills()), Long.toUnsignedString(counts.getOoms()));
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
