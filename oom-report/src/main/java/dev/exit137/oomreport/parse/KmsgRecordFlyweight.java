package dev.exit137.oomreport.parse;

import java.util.Objects;

/**
 * A reusable view of one record as read() of /dev/kmsg returns it:
 *
 * <pre>
 * 6,339,5140900,-,caller=T1;NET: Registered protocol family 10
 *  SUBSYSTEM=net
 * ^ ^   ^      ^  ^         ^                                  ^ always there: the kernel gives whole records only
 * | |   |      |  |         message
 * | |   |      |  further fields, ignored
 * | |   |      flags (since 3.6)
 * | |   microseconds since boot (local_clock)
 * | sequence number
 * facility * 8 + level
 * </pre>
 *
 * <p>Lines after the message that begin with a space are its dictionary, not part of the message. The end of the
 * message is computed on demand. Belongs to one thread; valid until the bytes of the buffer change.
 */
public final class KmsgRecordFlyweight {
    private static final int LEVEL_BITS = 3;
    private static final int UNKNOWN = -1;

    private byte[] buffer = {};
    private int position;
    private int end;
    private boolean valid;
    private int priority;
    private long sequence;
    private int timestampOffset;
    private int messageOffset;
    private int messageLength;

    /**
     * Reads the record in {@code buffer[offset, offset + length)}. Bytes that are no record, or an incomplete one, make
     * {@link #isValid} false.
     *
     * @throws IndexOutOfBoundsException when that range is not within the buffer
     */
    public KmsgRecordFlyweight wrap(byte[] buffer, int offset, int length) {
        Objects.checkFromIndexSize(offset, length, buffer.length);
        this.buffer = buffer;
        position = offset;
        end = offset + length;
        // The newline at the end stops every search before it.
        valid = length > 0 && buffer[end - 1] == '\n' && readPrefix(buffer);
        if (valid) {
            messageOffset = position;
            messageLength = UNKNOWN;
        } else {
            priority = 0;
            sequence = 0;
            messageOffset = offset;
            messageLength = 0;
        }
        return this;
    }

    private boolean readPrefix(byte[] buffer) {
        long number = readNumber(buffer);
        if (number < 0 || number > Integer.MAX_VALUE || buffer[position++] != ',') {
            return false;
        }
        priority = (int) number;
        sequence = readNumber(buffer);
        if (sequence < 0 || buffer[position++] != ',') {
            return false;
        }
        timestampOffset = position;
        int i = position;
        byte b = buffer[i];
        while (b >= '0' && b <= '9') {
            b = buffer[++i];
        }
        int digits = i - timestampOffset;
        if (digits == 0 || digits > Bytes.MAX_DIGITS || (b != ',' && b != ';')) {
            return false;
        }
        while (b != ';' && b != '\n') {
            b = buffer[++i];
        }
        position = i + 1;
        return b == ';';
    }

    /** The digits here as a number, or a negative one where there are none, or too many. */
    private long readNumber(byte[] buffer) {
        int start = position;
        int i = start;
        long value = 0;
        int digit = buffer[i] - '0';
        while (digit >= 0 && digit <= 9) {
            value = value * 10 + digit;
            digit = buffer[++i] - '0';
        }
        position = i;
        return i == start || i - start > Bytes.MAX_DIGITS ? -1 : value;
    }

    /** Whether the wrapped bytes are a whole record. The other accessors are meaningful only then. */
    public boolean isValid() {
        return valid;
    }

    /** Syslog facility. Only 0 is the kernel: a process that may write to /dev/kmsg can choose any other. */
    public int facility() {
        return priority >>> LEVEL_BITS;
    }

    /** Syslog level, 0 (emergency) to 7 (debug). */
    public int level() {
        return priority & ((1 << LEVEL_BITS) - 1);
    }

    /** Sequence number since boot, from 0. */
    public long sequence() {
        return sequence;
    }

    /** Microseconds since boot as printk stamped the record. */
    public long timestampMicros() {
        position = timestampOffset;
        return valid ? readNumber(buffer) : 0;
    }

    /** The wrapped buffer. */
    public byte[] buffer() {
        return buffer;
    }

    /** Index in {@link #buffer} of the message's first byte. */
    public int messageOffset() {
        return messageOffset;
    }

    /** Length of the message in bytes, without its newline; bytes that are not printable are still {@code \xNN}. */
    public int messageLength() {
        if (messageLength == UNKNOWN) {
            messageLength = Bytes.indexOfNewline(buffer, messageOffset) - messageOffset;
        }
        return messageLength;
    }

    /** Index in {@link #buffer} of the record's last newline: the message's newline, unless there is a dictionary. */
    int lastNewline() {
        return end - 1;
    }
}
