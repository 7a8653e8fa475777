package dev.exit137.aggregator.store;

import java.nio.ByteBuffer;
import java.util.UUID;

/**
 * Where a watch stands: what a consumer hands back to go on from there.
 *
 * @param storeId the store that gave it
 * @param rowId all rows up to this one are done with
 * @param historyEndRowId rows up to this one are history, of which only a part is wanted; 0 for none
 * @param historySinceNanos of the history, kills at this time or later are wanted, nanoseconds since 1970
 */
public record ResumeToken(UUID storeId, long rowId, long historyEndRowId, long historySinceNanos) {
  /** Checks what a stranger could have made up. */
  public ResumeToken {
    if (rowId < 0 || historyEndRowId < 0) {
      throw new IllegalArgumentException("row ids are not negative");
    }
  }

  /** A watch of everything after a row. */
  public static ResumeToken after(UUID storeId, long rowId) {
    return new ResumeToken(storeId, rowId, 0, 0);
  }

  /**
   * Reads a token.
   *
   * @throws IllegalArgumentException when it is not one
   */
  public static ResumeToken decode(String token) {
    ByteBuffer fields = TokenKind.RESUME.decode(token);
    return new ResumeToken(TokenKind.uuid(fields), fields.getLong(), fields.getLong(), fields.getLong());
  }

  /** As it travels. */
  public String encode() {
    return TokenKind.RESUME.encode(storeId, rowId, historyEndRowId, historySinceNanos);
  }

  /** The same watch, further on. */
  public ResumeToken movedTo(long newRowId) {
    return newRowId >= historyEndRowId
        ? after(storeId, newRowId)
        : new ResumeToken(storeId, newRowId, historyEndRowId, historySinceNanos);
  }

  /** Whether history is still being read. */
  public boolean inHistory() {
    return rowId < historyEndRowId;
  }

  /** The highest row id that the token speaks of. */
  public long highestRowId() {
    return Math.max(rowId, historyEndRowId);
  }
}
