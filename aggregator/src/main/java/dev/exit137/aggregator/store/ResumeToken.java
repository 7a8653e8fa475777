package dev.exit137.aggregator.store;

import java.nio.ByteBuffer;
import java.util.UUID;

/**
 * The position of a watch: a consumer returns the token to continue there.
 *
 * @param storeId the store that issued it
 * @param rowId all rows up to this one are done
 * @param historyEndRowId rows up to this one are history, and only a part of them is requested; 0 for none
 * @param historySinceNanos in the history, only events at this time or later are requested, nanoseconds since 1970
 */
public record ResumeToken(UUID storeId, long rowId, long historyEndRowId, long historySinceNanos) {
    /** Checks the values, because a client can forge a token. */
    public ResumeToken {
        if (rowId < 0 || historyEndRowId < 0) {
            throw new IllegalArgumentException("row ids are not negative");
        }
    }

    /** Returns the position of a watch of all events after a row. */
    public static ResumeToken after(UUID storeId, long rowId) {
        return new ResumeToken(storeId, rowId, 0, 0);
    }

    /**
     * Decodes a token.
     *
     * @throws IllegalArgumentException if the text is not such a token
     */
    public static ResumeToken decode(String token) {
        ByteBuffer fields = TokenKind.RESUME.decode(token);
        return new ResumeToken(TokenKind.uuid(fields), fields.getLong(), fields.getLong(), fields.getLong());
    }

    /** Encodes the token. */
    public String encode() {
        return TokenKind.RESUME.encode(storeId, rowId, historyEndRowId, historySinceNanos);
    }

    /** Returns the same watch at a later row. */
    public ResumeToken movedTo(long newRowId) {
        return newRowId >= historyEndRowId
                ? after(storeId, newRowId)
                : new ResumeToken(storeId, newRowId, historyEndRowId, historySinceNanos);
    }

    /** Whether the watch is still reading history. */
    public boolean inHistory() {
        return rowId < historyEndRowId;
    }

    /** Returns the highest row id in the token. */
    public long highestRowId() {
        return Math.max(rowId, historyEndRowId);
    }
}
