package dev.exit137.aggregator.store;

import java.nio.ByteBuffer;
import java.util.UUID;

/**
 * The start of a page of a list.
 *
 * @param storeId the store that issued it
 * @param beforeRowId the page holds rows before this one
 * @param storedUpTo the last row when the list began: a watch that follows the list starts after this row
 * @param queryFingerprint {@link EventQuery#fingerprint()} of the list's query
 */
public record PageToken(UUID storeId, long beforeRowId, long storedUpTo, long queryFingerprint) {
    /** Checks the values, because a client can forge a token. */
    public PageToken {
        if (beforeRowId < 0 || storedUpTo < 0) {
            throw new IllegalArgumentException("row ids are not negative");
        }
    }

    /** Returns the first page of a list. */
    public static PageToken first(UUID storeId, long lastRowId, EventQuery<?> query) {
        return new PageToken(storeId, lastRowId + 1, lastRowId, query.fingerprint());
    }

    /**
     * Decodes a token.
     *
     * @throws IllegalArgumentException if the text is not such a token
     */
    public static PageToken decode(String token) {
        ByteBuffer fields = TokenKind.PAGE.decode(token);
        return new PageToken(TokenKind.uuid(fields), fields.getLong(), fields.getLong(), fields.getLong());
    }

    /** Encodes the token. */
    public String encode() {
        return TokenKind.PAGE.encode(storeId, beforeRowId, storedUpTo, queryFingerprint);
    }

    /** Returns the page after a page that ended with the given row. */
    public PageToken next(long lastRowId) {
        return new PageToken(storeId, lastRowId, storedUpTo, queryFingerprint);
    }

    /** Returns the position of a watch that follows the list. */
    public ResumeToken watchAfter() {
        return ResumeToken.after(storeId, storedUpTo);
    }
}
