package dev.exit137.agent.trace;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Every kind of entry of a ring buffer, as include/linux/ring_buffer.h draws it. */
class TracePageFlyweightTest {
    private static final int PAGE_BYTES = 4096;
    private static final int HEADER_BYTES = 16;
    private static final long START = (5L << 59) + 1000;

    private final TraceLayout layout = new TraceLayout(
            8,
            HEADER_BYTES,
            PAGE_BYTES - HEADER_BYTES,
            0,
            2,
            4,
            new TraceLayout.Signal(261, 8, 16, 20, 16, 36, 40, 44, 48),
            new TraceLayout.Stack(4, 8, 16));
    private final TracePageFlyweight page = new TracePageFlyweight(layout);
    private final ByteBuffer bytes = ByteBuffer.wrap(page.bytes()).order(ByteOrder.nativeOrder());

    TracePageFlyweightTest() {
        bytes.putLong(0, START);
        bytes.position(HEADER_BYTES);
    }

    private TracePageFlyweightTest entry(int type, long delta, int... words) {
        bytes.putInt((int) (type | delta << 5));
        for (int word : words) {
            bytes.putInt(word);
        }
        return this;
    }

    /** The time since the start of the page, and the first number, of each record. */
    private List<String> records() {
        return records(bytes.position() - HEADER_BYTES);
    }

    private List<String> records(long commit) {
        bytes.putLong(8, commit);
        page.wrap(PAGE_BYTES);
        List<String> records = new ArrayList<>();
        while (page.next()) {
            records.add(page.timestampNanos() - START + ":" + page.getInt(0) + "/" + page.dataBytes());
        }
        return records;
    }

    @Test
    void shortAndLongRecords() {
        entry(1, 10, 7).entry(2, 20, 8, 0).entry(0, 30, 12, 9, 0);
        assertThat(records()).containsExactly("10:7/4", "30:8/8", "60:9/8");
        assertThat(page.isMalformed()).isFalse();
    }

    @Test
    void nestedRecordsHaveTheTimeOfTheOuterOne() {
        entry(1, 10, 7).entry(1, 0, 8);
        assertThat(records()).containsExactly("10:7/4", "10:8/4");
    }

    @Test
    void aTimeExtendIsAdded() {
        entry(30, 5, 1).entry(1, 10, 7);
        assertThat(records()).containsExactly(15 + (1 << 27) + ":7/4");
    }

    @Test
    void aTimeStampIsTheTimeApartFromTheUpperBits() {
        long later = 1000 + (3L << 27) + 5;
        entry(31, later & ((1 << 27) - 1), (int) (later >>> 27)).entry(1, 10, 7);
        assertThat(records()).containsExactly(later - 1000 + 10 + ":7/4");
    }

    @Test
    void aDiscardedRecordIsSkippedAndItsTimeIsNot() {
        entry(29, 3, 12, 99, 99).entry(1, 10, 7);
        assertThat(records()).containsExactly("13:7/4");
    }

    @Test
    void paddingEndsThePage() {
        entry(1, 10, 7).entry(29, 0).entry(1, 10, 8);
        assertThat(records()).containsExactly("10:7/4");
        assertThat(page.isMalformed()).isFalse();
    }

    @Test
    void theFlagsOfTheCommitAreNoLength() {
        entry(1, 10, 7);
        assertThat(records(8 | 1L << 31 | 1L << 30)).containsExactly("10:7/4");
        assertThat(page.isMalformed()).isFalse();
    }

    @Test
    void anEmptyPageHasNoRecords() {
        assertThat(records(0)).isEmpty();
        assertThat(page.isMalformed()).isFalse();
    }

    @Test
    void whatDoesNotFitIsMalformed() {
        entry(3, 10, 7);
        assertThat(records()).isEmpty();
        assertThat(page.isMalformed()).isTrue();
        assertThat(records(4)).isEmpty();
        assertThat(page.isMalformed()).isTrue();
        assertThat(records(2)).isEmpty();
        assertThat(page.isMalformed()).as("less than a head").isTrue();
    }

    @Test
    void aLengthThatIsNoneIsMalformed() {
        for (int length : new int[] {0, 3, -1, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            bytes.position(HEADER_BYTES);
            entry(0, 10, length, 1);
            assertThat(records()).as("length %d", length).isEmpty();
            assertThat(page.isMalformed()).isTrue();
        }
    }

    @Test
    void aCommitBeyondThePageIsMalformedAndWhatIsThereIsRead() {
        entry(1, 10, 7).entry(29, 0);
        assertThat(records(PAGE_BYTES)).containsExactly("10:7/4");
        assertThat(page.isMalformed()).isTrue();
    }
}
