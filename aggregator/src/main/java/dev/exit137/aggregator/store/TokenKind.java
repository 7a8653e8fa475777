package dev.exit137.aggregator.store;

import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.UUID;

/** The encoding of tokens: a byte for the kind, the store's UUID, then longs; in base64url without padding. */
enum TokenKind {
    /** A {@link ResumeToken}. */
    RESUME('r', 3),
    /** A {@link PageToken}. */
    PAGE('p', 3);

    private static final int HEADER_BYTES = 1 + 2 * Long.BYTES;

    private final byte mark;
    private final int longs;

    TokenKind(char mark, int longs) {
        this.mark = (byte) mark;
        this.longs = longs;
    }

    String encode(UUID storeId, long... values) {
        ByteBuffer bytes = ByteBuffer.allocate(HEADER_BYTES + longs * Long.BYTES);
        bytes.put(mark).putLong(storeId.getMostSignificantBits()).putLong(storeId.getLeastSignificantBits());
        for (long value : values) {
            bytes.putLong(value);
        }
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes.array());
    }

    /** Returns the bytes after the kind. Throws IllegalArgumentException if the token is not of this kind. */
    ByteBuffer decode(String token) {
        ByteBuffer bytes = ByteBuffer.wrap(Base64.getUrlDecoder().decode(token));
        if (bytes.remaining() != HEADER_BYTES + longs * Long.BYTES || bytes.get() != mark) {
            throw new IllegalArgumentException("not a token of this kind");
        }
        return bytes;
    }

    static UUID uuid(ByteBuffer fields) {
        return new UUID(fields.getLong(), fields.getLong());
    }
}
