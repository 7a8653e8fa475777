package dev.exit137.aggregator.store;

import java.nio.ByteBuffer;
import java.util.UUID;

/**
 * Where the next page of a list begins.
 *
 * @param storeId the store that gave it
 * @param beforeRowId the page holds rows before this one
 * @param queryFingerprint {@link EventQuery#fingerprint()} of the list's query
 */
public record PageToken(UUID storeId, long beforeRowId, long queryFingerprint) {
  /** Checks what a stranger could have made up. */
  public PageToken {
    if (beforeRowId < 0) {
      throw new IllegalArgumentException("row ids are not negative");
    }
  }

  /**
   * Reads a token.
   *
   * @throws IllegalArgumentException when it is not one
   */
  public static PageToken decode(String token) {
    ByteBuffer fields = TokenKind.PAGE.decode(token);
    return new PageToken(TokenKind.uuid(fields), fields.getLong(), fields.getLong());
  }

  /** As it travels. */
  public String encode() {
    return TokenKind.PAGE.encode(storeId, beforeRowId, queryFingerprint);
  }
}
