package dev.exit137.aggregator.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.exit137.daemon.guard.Guard;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class ReadersTest {
    @TempDir
    private Path dataDir;

    @Test
    @Timeout(120)
    void aCallThatFindsEveryConnectionTakenFailsAfterAWhileAndALaterOneReads() throws Exception {
        Path file = dataDir.resolve("events.db");
        StoreSchema.openWriter(file).close();
        try (Readers readers = new Readers(file, new WriteState(new Guard()), Duration.ofMillis(10))) {
            assertThatThrownBy(() -> readWithin(readers, new ArrayDeque<>()))
                    .isInstanceOf(SQLException.class)
                    .hasMessageContaining("other calls have held every connection")
                    .hasMessageEndingWith("try again later");

            assertThat(readers.<String, RuntimeException>read(connection -> "read"))
                    .isEqualTo("read");
        }
    }

    /** Takes one connection within the other, until there are no more. */
    private static int readWithin(Readers readers, Deque<Connection> taken) throws SQLException {
        return readers.<Integer, RuntimeException>read(connection -> {
            taken.push(connection);
            return readWithin(readers, taken);
        });
    }
}
