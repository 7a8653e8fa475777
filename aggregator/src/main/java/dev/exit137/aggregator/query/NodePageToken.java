package dev.exit137.aggregator.query;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/**
 * Where a page of nodes begins. It travels as a byte for its kind and the name in UTF-8, in base64url without padding.
 * Any store can go on from it: nodes have no order but that of their names.
 *
 * @param lastNode name of the last node of the page before, not empty
 */
record NodePageToken(String lastNode) {
  private static final byte MARK = 'n';

  /**
   * Reads a token.
   *
   * @throws IllegalArgumentException when it is not one
   */
  static NodePageToken decode(String token) {
    ByteBuffer bytes = ByteBuffer.wrap(Base64.getUrlDecoder().decode(token));
    if (bytes.remaining() < 2 || bytes.get() != MARK) {
      throw new IllegalArgumentException("not a token of this kind");
    }
    try {
      return new NodePageToken(StandardCharsets.UTF_8.newDecoder().decode(bytes).toString());
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("not the name of a node", e);
    }
  }

  /** As it travels. */
  String encode() {
    byte[] name = lastNode.getBytes(StandardCharsets.UTF_8);
    byte[] bytes = ByteBuffer.allocate(1 + name.length).put(MARK).put(name).array();
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }
}
