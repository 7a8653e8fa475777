package dev.exit137.agent.kmsg;

import static dev.exit137.agent.kmsg.TextCursor.ascii;

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
 * <p>Lines behind the message that begin with a space are its dictionary, no part of the message. Belongs to one
 * thread; valid until the bytes of the buffer change.
 */
public final class KmsgRecordFlyweight {
  private static final byte[] COMMA = ascii(",");
  private static final byte[] SEMICOLON = ascii(";");
  private static final byte[] NEWLINE = ascii("\n");
  private static final int LEVEL_BITS = 3;

  private final TextCursor cursor = new TextCursor();
  private byte[] buffer = {};
  private boolean valid;
  private int priority;
  private long sequence;
  private long timestampMicros;
  private int messageOffset;
  private int messageLength;

  /**
   * Reads the record in {@code buffer[offset, offset + length)}. Bytes that are no record, or not all of one, make
   * {@link #isValid} false.
   *
   * @throws IndexOutOfBoundsException when that range is not within the buffer
   */
  public KmsgRecordFlyweight wrap(byte[] buffer, int offset, int length) {
    Objects.checkFromIndexSize(offset, length, buffer.length);
    this.buffer = buffer;
    cursor.wrap(buffer, offset, offset + length);
    valid = readPrefix() && readMessage();
    if (!valid) {
      priority = 0;
      sequence = 0;
      timestampMicros = 0;
      messageOffset = offset;
      messageLength = 0;
    }
    return this;
  }

  private boolean readPrefix() {
    long number = cursor.number(Integer.MAX_VALUE);
    sequence = cursor.number(COMMA, Long.MAX_VALUE);
    timestampMicros = cursor.number(COMMA, Long.MAX_VALUE);
    if (number == OomLine.ABSENT || sequence == OomLine.ABSENT || timestampMicros == OomLine.ABSENT) {
      return false;
    }
    priority = (int) number;
    return cursor.peek() == ',' || cursor.peek() == ';';
  }

  private boolean readMessage() {
    int newline = cursor.find(NEWLINE, cursor.position(), cursor.end());
    int semicolon = cursor.find(SEMICOLON, cursor.position(), newline);
    messageOffset = semicolon + 1;
    messageLength = newline - messageOffset;
    return semicolon >= 0;
  }

  /** Whether the wrapped bytes are a whole record. The other accessors mean something only then. */
  public boolean isValid() {
    return valid;
  }

  /** Syslog facility. Only 0 is the kernel: whoever may write to /dev/kmsg chooses any other. */
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
    return timestampMicros;
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
    return messageLength;
  }
}
