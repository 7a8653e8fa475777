package dev.exit137.aggregator.store;

import com.google.gson.JsonObject;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.OomKillEvent;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The columns that only summaries read, and their values from an event. */
final class SummaryColumns {
    static final int COUNT = 6;

    private SummaryColumns() {}

    /** Binds outcome, incident, recovered, limit_owner, unit, labels. */
    static void bind(PreparedStatement statement, int firstIndex, OomKillEvent event) throws SQLException {
        int index = firstIndex;
        String incident = event.getIncident().getId();
        statement.setInt(index++, event.getOutcomeValue());
        statement.setString(index++, incident.isEmpty() ? event.getEventId() : incident);
        statement.setBoolean(index++, event.getRecovered());
        statement.setInt(index++, event.getIncident().getLimit().getOwnerValue());
        statement.setString(index++, event.getUnit().isEmpty() ? null : event.getUnit());
        statement.setString(index, labels(event));
    }

    /** A JSON object, so that SQLite can look up a label by its name; null if there are no labels. */
    private static @Nullable String labels(OomKillEvent event) {
        Container container = event.getContainer();
        Map<String, String> labels = new TreeMap<>(event.getComposeLabelsMap());
        labels.putAll(container.getPod().getLabelsMap());
        if (labels.isEmpty()) {
            return null;
        }
        JsonObject object = new JsonObject();
        labels.forEach(object::addProperty);
        return object.toString();
    }
}
