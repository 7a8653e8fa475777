package dev.exit137.aggregator.store;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Arrays;

/**
 * The ids of all events that are stored, and of those that were: they outlive their events, so that what an agent reads
 * from the kernel's ring again long after is not taken for new. An id is kept as 128 bits of a hash, a quarter of its
 * text and its node's name; among a billion ids, two are the same with a chance of 10^-20. Used by the writer thread
 * alone.
 */
final class KnownIds {
  private static final int HASH_BYTES = 16;
  // Never within UTF-8, so it ends the node's name without doubt.
  private static final byte END_OF_NAME = (byte) 0xff;

  private final MessageDigest sha256 = sha256();
  private final PreparedStatement find;
  private final PreparedStatement put;

  KnownIds(Connection connection) throws SQLException {
    find = connection.prepareStatement("SELECT row_id, revision FROM known_id WHERE id = ?");
    put = connection.prepareStatement("INSERT OR REPLACE INTO known_id (id, row_id, revision) VALUES (?, ?, ?)");
  }

  /**
   * What is known of an id.
   *
   * @param rowId the event's row, which may be gone; 0 when the id is not known
   * @param revision the highest stored, 0 when the id is not known
   */
  record Known(long rowId, long revision) {
    private static final Known NOTHING = new Known(0, 0);
  }

  /** @param id {@link #hash} of an event */
  Known find(byte[] id) throws SQLException {
    find.setBytes(1, id);
    try (ResultSet rows = find.executeQuery()) {
      return rows.next() ? new Known(rows.getLong(1), rows.getLong(2)) : Known.NOTHING;
    }
  }

  /** Will remember the row and the revision of an event, and no other of that id, once {@link #flush} is called. */
  void put(byte[] id, long rowId, long revision) throws SQLException {
    put.setBytes(1, id);
    put.setLong(2, rowId);
    put.setLong(3, revision);
    put.addBatch();
  }

  void flush() throws SQLException {
    put.executeBatch();
  }

  /** Forgets what was not flushed. */
  void clear() throws SQLException {
    put.clearBatch();
  }

  /** What an event is known by. */
  byte[] hash(String eventId, String node) {
    sha256.update(node.getBytes(StandardCharsets.UTF_8));
    sha256.update(END_OF_NAME);
    return Arrays.copyOf(sha256.digest(eventId.getBytes(StandardCharsets.UTF_8)), HASH_BYTES);
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
