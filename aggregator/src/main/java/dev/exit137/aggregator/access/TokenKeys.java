package dev.exit137.aggregator.access;

import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.proc.SecurityContext;
import java.text.ParseException;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * The public keys that verify tokens.
 *
 * @param failure why these keys are not the newest; null if they are recent enough
 */
record TokenKeys(JWKSet set, @Nullable String failure) implements SecurityContext {
    /** No keys. */
    static final TokenKeys NONE = new TokenKeys(new JWKSet(), null);

    /** Supplies the keys. Safe for all threads. */
    interface Source extends AutoCloseable {
        /** Returns the current keys, without waiting. */
        TokenKeys atHand();

        /** Fetches the newest keys, for a token that no current key fits. Never fails: the failure is in the result. */
        default CompletableFuture<TokenKeys> newest() {
            return CompletableFuture.completedFuture(atHand());
        }

        @Override
        default void close() {}
    }

    /**
     * Parses a JWK set, RFC 7517, 5.
     *
     * @throws ParseException the text is not a JWK set, or the set is empty
     */
    static TokenKeys parse(String jwks) throws ParseException {
        JWKSet set = JWKSet.parse(jwks);
        if (set.isEmpty()) {
            throw new ParseException("there is no key in it", 0);
        }
        return new TokenKeys(set, null);
    }
}
