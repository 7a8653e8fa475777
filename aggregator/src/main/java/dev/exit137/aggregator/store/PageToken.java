package dev.exit137.aggregator.store;

import java.nio.ByteBuffer;
import java.util.UUID;

/**
 * Where a page of a list begins.
 *
 * @param storeId the store that gave it
 * @param beforeRowId the page holds rows before this one
 * @param storedUpTo the last row when the list began: a watch of what follows it goes on where the list ends
 * @param queryFingerprint {@link EventQuery#fingerprint()} of the list's query
 */
public record PageToken(UUID storeId, long beforeRowId, long storedUpTo, long queryFingerprint) {
  /** Checks what a stranger could have made up. */
  public PageToken {
    if (beforeRowId < 0 || storedUpTo < 0) {
      throw new IllegalArgumentException("row ids are not negative");
    }
  }

  /** The first page of a list. */
  public static PageToken first(UUID storeId, long lastRowId, EventQuery query) {
    return new PageToken(storeId, lastRowId + 1, lastRowId, query.fingerprint());
  }

  /**
   * Reads a token.
   *
   * @throws IllegalArgumentException when it is not one
   */
  public static PageToken decode(String token) {
    ByteBuffer fields = TokenKind.PAGE.decode(token);
    return new PageToken(TokenKind.uuid(fields), fields.getLong(), fields.getLong(), fields.getLong());
  }

  /** As it travels. */
  public String encode() {
    return TokenKind.PAGE.encode(storeId, beforeRowId, storedUpTo, queryFingerprint);
  }

  /** The page after one that ended with a row. */
  public PageToken next(long lastRowId) {
    return new PageToken(storeId, lastRowId, storedUpTo, queryFingerprint);
  }

  /** Where a watch begins that follows the list. */
  public ResumeToken watchAfter() {
    return ResumeToken.after(storeId, storedUpTo);
  }
}
