package dev.exit137.aggregator.access;

import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.proc.SecurityContext;
import java.text.ParseException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * The public keys with which a token is checked.
 *
 * @param failure why these are not the newest; empty where they are as new as is needed
 */
record TokenKeys(JWKSet set, Optional<String> failure) implements SecurityContext {
  /** None. */
  static final TokenKeys NONE = new TokenKeys(new JWKSet(), Optional.empty());

  /** Where they come from. Safe for all threads. */
  interface Source extends AutoCloseable {
    /** Those that can be had without waiting. */
    TokenKeys atHand();

    /** The newest, for a token that none of those at hand fits. Never fails: the keys say what did. */
    default CompletableFuture<TokenKeys> newest() {
      return CompletableFuture.completedFuture(atHand());
    }

    @Override
    default void close() {}
  }

  /**
   * Reads a JWK set, RFC 7517, 5.
   *
   * @throws ParseException it is none, or an empty one
   */
  static TokenKeys parse(String jwks) throws ParseException {
    JWKSet set = JWKSet.parse(jwks);
    if (set.isEmpty()) {
      throw new ParseException("there is no key in it", 0);
    }
    return new TokenKeys(set, Optional.empty());
  }
}
