package dev.exit137.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Inserts every row of a store into an empty one with the same tables, indexes and durability: the cost of SQLite
 * alone.
 */
final class BareInsert {
    private BareInsert() {}

    /**
     * @param batch rows of each table in a transaction
     * @return seconds for the inserts, without the time to read the rows
     */
    static double seconds(Path store, Path copy, int batch) throws SQLException, IOException {
        for (String suffix : List.of("", "-wal", "-shm")) {
            Files.deleteIfExists(Path.of(copy + suffix));
        }
        List<String> ddl = new ArrayList<>();
        Map<String, List<Object[]>> rows = new LinkedHashMap<>();
        try (Connection from = DriverManager.getConnection("jdbc:sqlite:" + store)) {
            for (Object[] made : rows(
                    from,
                    "SELECT sql, type, name FROM sqlite_master WHERE sql NOT NULL "
                            + "AND name NOT LIKE 'sqlite_%' ORDER BY type = 'index'")) {
                ddl.add((String) made[0]);
                if (made[1].equals("table")) {
                    rows.put((String) made[2], rows(from, "SELECT * FROM " + made[2]));
                }
            }
        }
        try (Connection to = DriverManager.getConnection("jdbc:sqlite:" + copy);
                Statement statement = to.createStatement()) {
            statement.execute("PRAGMA auto_vacuum = INCREMENTAL");
            statement.execute("PRAGMA journal_mode = WAL");
            statement.execute("PRAGMA synchronous = FULL");
            for (String sql : ddl) {
                statement.execute(sql);
            }
            to.setAutoCommit(false);
            int most = rows.values().stream().mapToInt(List::size).max().orElse(0);
            long start = System.nanoTime();
            for (int first = 0; first < most; first += batch) {
                for (Map.Entry<String, List<Object[]>> table : rows.entrySet()) {
                    List<Object[]> all = table.getValue();
                    insert(
                            to,
                            table.getKey(),
                            all.subList(Math.min(first, all.size()), Math.min(first + batch, all.size())));
                }
                to.commit();
            }
            return (System.nanoTime() - start) / 1e9;
        }
    }

    private static void insert(Connection to, String table, List<Object[]> rows) throws SQLException {
        if (rows.isEmpty()) {
            return;
        }
        String marks = "?" + ", ?".repeat(rows.getFirst().length - 1);
        try (PreparedStatement insert = to.prepareStatement("INSERT INTO " + table + " VALUES (" + marks + ")")) {
            for (Object[] row : rows) {
                for (int i = 0; i < row.length; i++) {
                    insert.setObject(i + 1, row[i]);
                }
                insert.addBatch();
            }
            insert.executeBatch();
        }
    }

    private static List<Object[]> rows(Connection from, String sql) throws SQLException {
        List<Object[]> all = new ArrayList<>();
        try (Statement statement = from.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            int columns = rows.getMetaData().getColumnCount();
            while (rows.next()) {
                Object[] row = new Object[columns];
                for (int i = 0; i < columns; i++) {
                    row[i] = rows.getObject(i + 1);
                }
                all.add(row);
            }
        }
        return all;
    }
}
