package dev.exit137.aggregator.access;

import dev.exit137.daemon.tls.FlagFile;
import java.net.URI;
import java.util.List;
import java.util.Optional;

/**
 * The tokens of Kubernetes service accounts that are accepted.
 *
 * @param jwks the keys of the cluster that signs them (RFC 7517): a file, or a URL
 * @param jwksCa the authority that signs the certificate of the URL's server; the JDK's authorities if empty
 * @param jwksBearer the token for that server; empty for none
 * @param audience the required audience
 * @param issuer the required issuer
 * @param agents service accounts, {@code NAMESPACE:NAME}, with tokens that prove the node that they name. For other
 *     accounts the node proves nothing: every user who may start a pod can get such a token
 */
public record TokenConfig(
    String jwks,
    Optional<FlagFile> jwksCa,
    Optional<FlagFile> jwksBearer,
    String audience,
    String issuer,
    List<String> agents) {

  /** @throws IllegalArgumentException names the setting and the rule */
  public TokenConfig {
    agents = List.copyOf(agents);
    if (jwks.isBlank() || audience.isBlank() || issuer.isBlank()) {
      throw new IllegalArgumentException(
          "--token-jwks, --token-audience and --token-issuer need each other: give all three");
    }
    if (jwks.startsWith("http:") && !isLoopback(jwks)) {
      throw new IllegalArgumentException("--token-jwks " + jwks + " can be forged on its way: give an https URL, or a file");
    }
    if (!isUrl(jwks) && (jwksCa.isPresent() || jwksBearer.isPresent())) {
      throw new IllegalArgumentException(
          "--token-jwks-ca and --token-jwks-bearer are for a URL, and --token-jwks " + jwks + " is a file");
    }
    for (String agent : agents) {
      if (!agent.matches("[a-z0-9.-]+:[a-z0-9.-]+")) {
        throw new IllegalArgumentException("--token-service-account must be NAMESPACE:NAME, and is '" + agent + "'");
      }
    }
  }

  boolean isUrl() {
    return isUrl(jwks);
  }

  private static boolean isUrl(String jwks) {
    return jwks.startsWith("https:") || jwks.startsWith("http:");
  }

  private static boolean isLoopback(String url) {
    String host = URI.create(url).getHost();
    return host != null && (host.equals("localhost") || host.startsWith("127.") || host.equals("[::1]"));
  }
}
