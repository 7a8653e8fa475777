package dev.exit137.aggregator.store;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTransientException;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;

/** The pool of read connections; each is lent to one caller at a time. Safe for all threads. */
final class Readers implements AutoCloseable {
    // One for each thread that answers consumers, and one for the summary thread.
    private static final int COUNT = 3;
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final WriteState state;
    private final Duration patience;
    private final BlockingQueue<Connection> connections = new ArrayBlockingQueue<>(COUNT);

    /** Opens the connections; the file must exist. Damage that a read finds is reported to the state. */
    Readers(Path file, WriteState state) throws SQLException {
        this(file, state, PATIENCE);
    }

    /** @param patience how long a caller waits for a connection */
    Readers(Path file, WriteState state, Duration patience) throws SQLException {
        this.state = state;
        this.patience = patience;
        try {
            for (int i = 0; i < COUNT; i++) {
                connections.add(StoreSchema.openReader(file));
            }
        } catch (SQLException e) {
            close();
            throw e;
        }
    }

    /** Reads with a connection. */
    interface Reading<T, E extends Exception> {
        T from(Connection connection) throws SQLException, E;
    }

    /** Waits some seconds at most for a connection, and reads with it. */
    <T, E extends Exception> T read(Reading<T, E> reading) throws SQLException, E {
        Connection connection = take();
        try {
            return reading.from(connection);
        } catch (SQLException e) {
            state.note(e);
            throw e;
        } finally {
            connections.add(connection);
        }
    }

    /** No read may be running. */
    @Override
    public void close() throws SQLException {
        for (Connection connection : connections) {
            connection.close();
        }
    }

    private Connection take() throws SQLException {
        try {
            Connection connection = connections.poll(patience.toNanos(), TimeUnit.NANOSECONDS);
            if (connection == null) {
                throw new SQLTransientException("other calls have held every connection to it for "
                        + patience.toSeconds() + " s; try again later");
            }
            return connection;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new SQLException("interrupted while waiting for a connection to the store", e);
        }
    }
}
