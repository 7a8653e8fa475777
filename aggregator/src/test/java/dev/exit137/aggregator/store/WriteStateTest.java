package dev.exit137.aggregator.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.daemon.guard.Guard;
import java.sql.SQLException;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.sqlite.SQLiteErrorCode;

class WriteStateTest {
    private final Guard guard = new Guard();
    private final WriteState state = new WriteState(guard);

    @Test
    void aListenerThatThrowsHidesNeitherTheFailureNorItsEnd() {
        state.onChange(failure -> {
            if (failure.isPresent()) {
                throw new AssertionError("a defect of the test");
            }
        });

        assertThat(state.note(failure(SQLiteErrorCode.SQLITE_FULL))).isTrue();
        assertThat(state.failure()).hasValueSatisfying(why -> assertThat(why).startsWith("the disk is full"));
        assertThat(guard.counts()).containsExactly(Map.entry("store", 1L));

        state.recovered();
        assertThat(state.failure()).isEmpty();
    }

    @Test
    void aFileThatAnotherProgramHoldsIsNoDefectAndNoReasonToStoreNothing() {
        assertThat(state.note(failure(SQLiteErrorCode.SQLITE_BUSY))).isTrue();
        assertThat(state.failure()).isEmpty();
    }

    @Test
    void whatIsNeitherOfTheDiskNorOfTheFileIsADefect() {
        assertThat(state.note(failure(SQLiteErrorCode.SQLITE_CONSTRAINT))).isFalse();
        assertThat(state.note(new IllegalStateException())).isFalse();
        assertThat(state.failure()).isEmpty();
    }

    private static SQLException failure(SQLiteErrorCode code) {
        return new SQLException("of the test", null, code.code);
    }
}
