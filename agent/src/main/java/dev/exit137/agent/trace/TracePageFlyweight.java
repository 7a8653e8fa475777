package dev.exit137.agent.trace;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A view of one page of a ring buffer, as {@code trace_pipe_raw} gives it (include/linux/ring_buffer.h,
 * {@code events/header_event}). Each record begins with 4 bytes:
 *
 * <pre>
 * type_len:5, time_delta:27
 *   type_len 0        u32 length, with itself; then the data
 *            1 to 28  the data, 4 * type_len bytes
 *            29       padding: to the end of the page if time_delta is 0, else u32 length, with itself
 *            30       u32 with the upper bits of time_delta
 *            31       u32 with the upper bits of a time; time_delta has the lower ones
 * </pre>
 *
 * <p>A page that contradicts itself ends where it does so, and is then {@link #isMalformed}. Owned by one thread; it
 * allocates nothing.
 */
final class TracePageFlyweight {
    private static final int TYPE_PADDING = 29;
    private static final int TYPE_TIME_EXTEND = 30;
    private static final int TYPE_TIME_STAMP = 31;
    private static final int TYPE_BITS = 5;
    private static final int TYPE_MASK = (1 << TYPE_BITS) - 1;
    private static final int DELTA_BITS = 27;
    private static final int WORD = Integer.BYTES;
    /** The upper bits of the commit are flags: RB_MISSED_EVENTS, RB_MISSED_STORED (kernel/trace/ring_buffer.c). */
    private static final long COMMIT_MASK = 0xf_ffff;

    private static final long MISSED_EVENTS = 1L << 31;
    /** A time in a record has 59 bits; the others are those of the time before. */
    private static final long TIME_STAMP_BITS = (1L << 59) - 1;

    private final TraceLayout layout;
    private final byte[] bytes;
    private final ByteBuffer page;
    private int at;
    private int end;
    private int dataAt;
    private int dataBytes;
    private long timestampNanos;
    private boolean malformed;
    private boolean gapBefore;

    TracePageFlyweight(TraceLayout layout) {
        this.layout = layout;
        bytes = new byte[layout.pageBytes()];
        page = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
    }

    /** The page's bytes, to be filled before {@link #wrap}. */
    byte[] bytes() {
        return bytes;
    }

    /** Begins to read a page that has so many bytes. */
    void wrap(int length) {
        at = layout.pageData();
        end = at;
        malformed = length < layout.pageData();
        gapBefore = malformed;
        if (malformed) {
            return;
        }
        timestampNanos = page.getLong(0);
        long flagged = page.getLong(layout.pageCommit());
        gapBefore = (flagged & MISSED_EVENTS) != 0;
        long commit = flagged & COMMIT_MASK;
        malformed = commit > length - layout.pageData();
        end = malformed ? length : at + (int) commit;
    }

    /** Moves to the next record with data; false at the end of the page. */
    boolean next() {
        while (at + WORD <= end) {
            int head = page.getInt(at);
            int type = head & TYPE_MASK;
            int delta = head >>> TYPE_BITS;
            at += WORD;
            if (type == TYPE_PADDING && delta == 0) {
                at = end;
                return false;
            }
            boolean hasWord = type == 0 || type >= TYPE_PADDING;
            if (hasWord && at + WORD > end) {
                return broken();
            }
            int word = hasWord ? page.getInt(at) : 0;
            switch (type) {
                case TYPE_TIME_EXTEND -> {
                    timestampNanos += delta + (Integer.toUnsignedLong(word) << DELTA_BITS);
                    at += WORD;
                }
                case TYPE_TIME_STAMP -> {
                    timestampNanos =
                            (timestampNanos & ~TIME_STAMP_BITS) | (Integer.toUnsignedLong(word) << DELTA_BITS) | delta;
                    at += WORD;
                }
                default -> {
                    timestampNanos += delta;
                    dataAt = hasWord ? at + WORD : at;
                    int length = hasWord ? word : type * WORD;
                    if (length < (hasWord ? WORD : 0) || length > end - at) {
                        return broken();
                    }
                    at += length;
                    dataBytes = at - dataAt;
                    if (type != TYPE_PADDING) {
                        return true;
                    }
                }
            }
        }
        malformed |= at != end;
        return false;
    }

    private boolean broken() {
        malformed = true;
        at = end;
        return false;
    }

    /** Whether records between the page before and this one were overwritten. */
    boolean hasGapBefore() {
        return gapBefore;
    }

    /** Whether the page contradicts itself; its other records are lost. */
    boolean isMalformed() {
        return malformed;
    }

    /** The trace clock at the record. */
    long timestampNanos() {
        return timestampNanos;
    }

    /** Bytes of the record's data. */
    int dataBytes() {
        return dataBytes;
    }

    /** A number of the record's data; the caller has checked its length. */
    int getInt(int offset) {
        return page.getInt(dataAt + offset);
    }

    long getLong(int offset) {
        return page.getLong(dataAt + offset);
    }

    int getUnsignedShort(int offset) {
        return Short.toUnsignedInt(page.getShort(dataAt + offset));
    }

    int getUnsignedByte(int offset) {
        return Byte.toUnsignedInt(page.get(dataAt + offset));
    }

    /** Where the field of the record is in {@link #bytes}. */
    int indexOf(int offset) {
        return dataAt + offset;
    }
}
