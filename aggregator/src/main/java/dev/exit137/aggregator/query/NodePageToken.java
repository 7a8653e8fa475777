package dev.exit137.aggregator.query;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/**
 * The start of a page of nodes. Its encoding is a byte for the kind and the name in UTF-8, in base64url without
 * padding. Any store can continue from it, because nodes are ordered by their names only.
 *
 * @param lastNode name of the last node of the page before, not empty
 */
record NodePageToken(String lastNode) {
    private static final byte MARK = 'n';

    /**
     * Decodes a token.
     *
     * @throws IllegalArgumentException if the text is not such a token
     */
    static NodePageToken decode(String token) {
        ByteBuffer bytes = ByteBuffer.wrap(Base64.getUrlDecoder().decode(token));
        if (bytes.remaining() < 2 || bytes.get() != MARK) {
            throw new IllegalArgumentException("not a token of this kind");
        }
        try {
            return new NodePageToken(
                    StandardCharsets.UTF_8.newDecoder().decode(bytes).toString());
        } catch (CharacterCodingException e) {
            throw new IllegalArgumentException("not the name of a node", e);
        }
    }

    /** Encodes the token. */
    String encode() {
        byte[] name = lastNode.getBytes(StandardCharsets.UTF_8);
        byte[] bytes = ByteBuffer.allocate(1 + name.length).put(MARK).put(name).array();
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }
}
