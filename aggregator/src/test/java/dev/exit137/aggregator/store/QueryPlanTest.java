package dev.exit137.aggregator.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.ExitFilter;
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
                arguments(kills(EventFilter.newBuilder()), "event_by_kind (kind=?"),
                arguments(kills(EventFilter.newBuilder().setNode("n")), "event_by_node (node=? AND kind=?"),
                arguments(
                        kills(EventFilter.newBuilder().setNamespace("n")),
                        "event_by_namespace (namespace=? AND kind=?"),
                arguments(kills(EventFilter.newBuilder().setPod("p")), "event_by_pod_uid (pod_uid=? AND kind=?"),
                arguments(
                        kills(EventFilter.newBuilder().setContainer("c")),
                        "event_by_container_id (container_id=? AND kind=?"),
                arguments(
                        kills(EventFilter.newBuilder().setSince(SOME_TIME).setUntil(SOME_TIME)),
                        "event_by_kind (kind=?"),
                arguments(
                        kills(EventFilter.newBuilder().setNode("n").setSince(SOME_TIME)),
                        "event_by_node (node=? AND kind=?"),
                arguments(ends(ExitFilter.newBuilder().setNode("n")), "event_by_node (node=? AND kind=?"),
                arguments(ends(ExitFilter.newBuilder().setUnit("u")), "event_by_unit (unit=? AND kind=?"),
                arguments(ends(ExitFilter.newBuilder().addCausesValue(1)), "event_by_cause (cause=?"),
                arguments(ends(ExitFilter.newBuilder().addExitCodes(139)), "event_by_exit_code (exit_code=?"));
    }

    @ParameterizedTest
    @MethodSource("filters")
    void aFilterUsesItsIndexWithinTheRangeOfRowsAndInTheirOrder(EventQuery<?> query, String expectedIndex)
            throws SQLException {
        assertThat(plan(query.select(5, 9, "ORDER BY row_id DESC LIMIT 101")))
                .contains(expectedIndex, "rowid>? AND rowid<?")
                .doesNotContain("SCAN", "event_by_time");
    }

    private static EventQuery<?> kills(EventFilter.Builder filter) {
        return EventQuery.of(filter.build());
    }

    private static EventQuery<?> ends(ExitFilter.Builder filter) {
        return EventQuery.of(filter.build());
    }

    static Stream<Arguments> summaries() {
        return Stream.of(
                arguments(kills(EventFilter.newBuilder()), "SEARCH event USING COVERING INDEX event_by_time (kind=?)"),
                arguments(
                        kills(EventFilter.newBuilder().setNamespace("n").setNode("n")),
                        "SEARCH event USING COVERING INDEX event_by_time (kind=?)"),
                arguments(
                        kills(EventFilter.newBuilder()
                                .setSince(SOME_TIME)
                                .setUntil(SOME_TIME)
                                .setNamespace("n")),
                        "SEARCH event USING COVERING INDEX event_by_time (kind=? AND time_nanos>? AND time_nanos<?)"),
                arguments(kills(EventFilter.newBuilder().setPod("p")), "SEARCH event USING INDEX event_by_pod_uid"),
                arguments(
                        kills(EventFilter.newBuilder().setPod("p").setSince(SOME_TIME)),
                        "SEARCH event USING INDEX event_by_pod_uid"),
                arguments(
                        ends(ExitFilter.newBuilder()
                                .setUnit("u")
                                .addCausesValue(1)
                                .addExitCodes(137)),
                        "SEARCH event USING COVERING INDEX event_by_time (kind=?)"));
    }

    @ParameterizedTest
    @MethodSource("summaries")
    void aSummaryReadsAnIndexAloneAndOfPodsOnlyTheirRows(EventQuery<?> events, String expected) throws SQLException {
        List<Dimension> all = List.copyOf(events.kind().dimensions());
        SummaryQuery query = new SummaryQuery(events, all, List.of("app"), 1_000_000_000, 10);

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
