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
 * The ids of all stored events and of removed ones. An id outlives its event: an agent may read an old event again from
 * the kernel's ring, and the store must not count it as new. An id is kept as a 128-bit hash of its text, its kind and
 * its node's name, a quarter of their size; among a billion ids, two have the same hash with a probability of 10^-20. Used by the
 * writer thread alone.
 */
final class KnownIds {
    private static final int HASH_BYTES = 16;
    // This byte never occurs in UTF-8, so it marks the end of the node's name and of the kind.
    private static final byte END_OF_NAME = (byte) 0xff;

    private final MessageDigest sha256 = sha256();
    private final PreparedStatement find;
    private final PreparedStatement put;

    KnownIds(Connection connection) throws SQLException {
        find = connection.prepareStatement("SELECT row_id, revision FROM known_id WHERE id = ?");
        put = connection.prepareStatement("INSERT OR REPLACE INTO known_id (id, row_id, revision) VALUES (?, ?, ?)");
    }

    /**
     * The stored facts about an id.
     *
     * @param rowId the event's row, which may be removed; 0 if the id is unknown
     * @param revision the highest stored revision, 0 if the id is unknown
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

    /** Sets the row and the revision of an id, in place of any earlier ones; the next {@link #flush} writes them. */
    void put(byte[] id, long rowId, long revision) throws SQLException {
        put.setBytes(1, id);
        put.setLong(2, rowId);
        put.setLong(3, revision);
        put.addBatch();
    }

    void flush() throws SQLException {
        put.executeBatch();
    }

    /** Discards the entries that are not flushed. */
    void clear() throws SQLException {
        put.clearBatch();
    }

    /** Returns the hash of an event's kind, id and node. That of a kill is the same as before there were kinds. */
    byte[] hash(EventKind<?> kind, String eventId, String node) {
        sha256.update(node.getBytes(StandardCharsets.UTF_8));
        sha256.update(END_OF_NAME);
        if (kind != EventKind.OOM) {
            sha256.update((byte) kind.number());
            sha256.update(END_OF_NAME);
        }
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
