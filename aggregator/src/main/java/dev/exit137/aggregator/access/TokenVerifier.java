package dev.exit137.aggregator.access;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.KeySourceException;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.BadJWTException;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import com.nimbusds.jwt.proc.ExpiredJWTException;
import dev.exit137.proto.security.FlagFile;
import dev.exit137.proto.security.Reloaded;
import dev.exit137.proto.security.UnusableFileException;
import io.grpc.Status;
import io.grpc.StatusException;
import java.net.MalformedURLException;
import java.net.URI;
import java.nio.file.Path;
import java.text.ParseException;
import java.time.Instant;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Checks tokens of Kubernetes service accounts: signature, audience, issuer, time, and which node the kubelet asked for
 * them on. https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/ describes their claims. Safe
 * for all threads; keys from a URL are fetched on the thread that asks, and kept.
 */
final class TokenVerifier {
  // By public keys; who checks a token must not be able to make one.
  private static final Set<JWSAlgorithm> ALGORITHMS = Set.of(
      JWSAlgorithm.RS256, JWSAlgorithm.RS384, JWSAlgorithm.RS512,
      JWSAlgorithm.PS256, JWSAlgorithm.PS384, JWSAlgorithm.PS512,
      JWSAlgorithm.ES256, JWSAlgorithm.ES384, JWSAlgorithm.ES512);

  private static final int MAX_CLOCK_SKEW_SECONDS = 5;
  private static final String SERVICE_ACCOUNT = "system:serviceaccount:";

  /**
   * What a token proves.
   *
   * @param names its service account, as Kubernetes writes it, and its node
   */
  record Proof(Set<String> names, Instant until) {}

  private final TokenConfig config;
  private final DefaultJWTProcessor<SecurityContext> processor = new DefaultJWTProcessor<>();

  TokenVerifier(TokenConfig config) throws UnusableFileException {
    this.config = config;
    processor.setJWSKeySelector(new JWSVerificationKeySelector<>(ALGORITHMS, keys(config)));
    DefaultJWTClaimsVerifier<SecurityContext> claims = new DefaultJWTClaimsVerifier<>(
        config.audience(), new JWTClaimsSet.Builder().issuer(config.issuer()).build(), Set.of("sub", "exp"));
    claims.setMaxClockSkew(MAX_CLOCK_SKEW_SECONDS);
    processor.setJWTClaimsSetVerifier(claims);
  }

  private static JWKSource<SecurityContext> keys(TokenConfig config) throws UnusableFileException {
    FlagFile file = new FlagFile("--token-jwks", config.isUrl() ? Path.of("") : Path.of(config.jwks()));
    if (!config.isUrl()) {
      Reloaded<JWKSet> keys = new Reloaded<>(List.of(file), () -> parse(file));
      return (selector, _) -> selector.select(keys.get());
    }
    try {
      return JWKSourceBuilder.create(
              URI.create(config.jwks()).toURL(), new KeyFetcher(config.jwksCa(), config.jwksBearer()))
          .outageTolerantForever()
          .build();
    } catch (MalformedURLException | IllegalArgumentException e) {
      throw new IllegalArgumentException("--token-jwks " + config.jwks() + " is no URL: " + e.getMessage(), e);
    }
  }

  private static JWKSet parse(FlagFile file) throws UnusableFileException {
    try {
      JWKSet keys = JWKSet.parse(file.read());
      if (keys.isEmpty()) {
        throw file.unusable("there is no key in it; kubectl get --raw /openid/v1/jwks prints those of a cluster", null);
      }
      return keys;
    } catch (ParseException e) {
      throw file.unusable(
          "it is no JWK set (" + e.getMessage() + "); kubectl get --raw /openid/v1/jwks prints that of a cluster", e);
    }
  }

  /**
   * Checks a token.
   *
   * @throws StatusException saying why it is not taken, without any of it
   */
  Proof verify(String token) throws StatusException {
    try {
      JWTClaimsSet claims = processor.process(token, null);
      return new Proof(names(claims), claims.getExpirationTime().toInstant());
    } catch (ExpiredJWTException e) {
      throw refused("it has expired; the agent reads a new one when its file is rotated (--token-file)");
    } catch (KeySourceException e) {
      throw Status.UNAVAILABLE
          .withDescription("the aggregator cannot have the keys that check tokens: " + e.getMessage())
          .asException();
    } catch (BadJWTException e) {
      throw refused(e.getMessage() + "; it must be for audience " + config.audience() + " by issuer " + config.issuer());
    } catch (BadJOSEException e) {
      throw refused(e.getMessage());
    } catch (ParseException e) {
      throw refused("it is no JWT");
    } catch (JOSEException e) {
      throw refused("it cannot be checked: " + e.getMessage());
    }
  }

  /**
   * {"sub": "system:serviceaccount:exit137:exit137-agent", "kubernetes.io": {"namespace": "exit137",
   * "node": {"name": "worker-1", "uid": "..."}, "pod": {...}, "serviceaccount": {...}}}
   */
  private Set<String> names(JWTClaimsSet claims) throws StatusException, ParseException {
    String account = claims.getSubject();
    if (!account.startsWith(SERVICE_ACCOUNT)) {
      throw refused("it is not of a service account of Kubernetes");
    }
    Set<String> names = new LinkedHashSet<>();
    names.add(account);
    if (config.agents().contains(account.substring(SERVICE_ACCOUNT.length()))) {
      Map<String, Object> kubernetes = claims.getJSONObjectClaim("kubernetes.io");
      if (kubernetes == null
          || !(kubernetes.get("node") instanceof Map<?, ?> node)
          || !(node.get("name") instanceof String name)
          || name.isEmpty()) {
        throw refused("it names no node; Kubernetes writes the node into tokens of pods from 1.30 on"
            + " (ServiceAccountTokenPodNodeInfo)");
      }
      names.add(Caller.NODE + name);
    }
    return names;
  }

  private static StatusException refused(String why) {
    return Status.UNAUTHENTICATED.withDescription("the token is not taken: " + why).asException();
  }
}
