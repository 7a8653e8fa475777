package dev.exit137.aggregator.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.SummarizeEventsRequest.Dimension;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.StringJoiner;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** SQLite's own word on how it would search: that neither a list nor a watch walks the store. */
class QueryPlanTest {
    private static final Timestamp SOME_TIME =
            Timestamp.newBuilder().setSeconds(1).build();

    @TempDir
    private Path dataDir;

    private Connection connection;

    @BeforeEach
    void open() throws SQLException, IOException {
        connection = StoreSchema.openWriter(dataDir.resolve("events.db"));
    }

    @AfterEach
    void close() throws SQLException {
        connection.close();
    }

    static Stream<Arguments> filters() {
        return Stream.of(
                arguments(EventFilter.newBuilder().setNode("n"), "event_by_node"),
                arguments(EventFilter.newBuilder().setNamespace("n"), "event_by_namespace"),
                arguments(EventFilter.newBuilder().setPod("p"), "event_by_pod_uid"),
                arguments(EventFilter.newBuilder().setContainer("c"), "event_by_container_id"),
                arguments(EventFilter.newBuilder().setSince(SOME_TIME).setUntil(SOME_TIME), "PRIMARY KEY"),
                arguments(EventFilter.newBuilder().setNode("n").setSince(SOME_TIME), "event_by_node"));
    }

    @ParameterizedTest
    @MethodSource("filters")
    void aFilterUsesItsIndexWithinTheRangeOfRowsAndInTheirOrder(EventFilter.Builder filter, String expectedIndex)
            throws SQLException {
        EventQuery query = EventQuery.of(filter.build());

        assertThat(plan(query.select(5, 9, "ORDER BY row_id DESC LIMIT 101")))
                .contains(expectedIndex, "rowid>? AND rowid<?")
                .doesNotContain("SCAN", "event_by_time");
    }

    static Stream<Arguments> summaries() {
        return Stream.of(
                arguments(EventFilter.newBuilder(), "SCAN event USING COVERING INDEX event_by_time"),
                arguments(
                        EventFilter.newBuilder().setNamespace("n").setNode("n"),
                        "SCAN event USING COVERING INDEX event_by_time"),
                arguments(
                        EventFilter.newBuilder()
                                .setSince(SOME_TIME)
                                .setUntil(SOME_TIME)
                                .setNamespace("n"),
                        "SEARCH event USING COVERING INDEX event_by_time (time_nanos>? AND time_nanos<?)"),
                arguments(EventFilter.newBuilder().setPod("p"), "SEARCH event USING INDEX event_by_pod_uid"));
    }

    @ParameterizedTest
    @MethodSource("summaries")
    void aSummaryReadsAnIndexAloneAndOfPodsOnlyTheirRows(EventFilter.Builder filter, String expected)
            throws SQLException {
        List<Dimension> all = Stream.of(Dimension.values())
                .filter(d -> d != Dimension.UNRECOGNIZED && d.getNumber() != 0)
                .toList();
        SummaryQuery query = new SummaryQuery(EventQuery.of(filter.build()), all, List.of("app"), 1_000_000_000, 10);

        assertThat(plan(query.select(9))).contains(expected).contains("MATERIALIZE ranked");
    }

    @Test
    void anIdIsFoundByItsIndex() throws SQLException {
        assertThat(plan(new Select("SELECT body FROM event WHERE event_id = ?", "x")))
                .contains("event_by_id");
    }

    @Test
    void freeingSpaceLaterIsPossibleFromTheFirstDay() throws SQLException {
        try (ResultSet row = connection.createStatement().executeQuery("PRAGMA auto_vacuum")) {
            assertThat(row.getInt(1)).as("incremental").isEqualTo(2);
        }
        try (ResultSet row = connection.createStatement().executeQuery("PRAGMA synchronous")) {
            assertThat(row.getInt(1)).as("full").isEqualTo(2);
        }
        try (ResultSet row = connection.createStatement().executeQuery("PRAGMA journal_mode")) {
            assertThat(row.getString(1)).isEqualTo("wal");
        }
    }

    private String plan(Select select) throws SQLException {
        StringJoiner plan = new StringJoiner("; ");
        String sql = select.toString().replaceAll("\\?", "1");
        try (PreparedStatement statement = connection.prepareStatement("EXPLAIN QUERY PLAN " + sql);
                ResultSet rows = statement.executeQuery()) {
            while (rows.next()) {
                plan.add(rows.getString("detail"));
            }
        }
        return plan.toString();
    }
}
