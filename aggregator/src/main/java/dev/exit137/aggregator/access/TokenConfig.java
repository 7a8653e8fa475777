package dev.exit137.aggregator.access;

import dev.exit137.daemon.tls.FlagFile;
import java.net.URI;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The tokens of Kubernetes service accounts that are accepted.
 *
 * @param jwks the keys of the cluster that signs them (RFC 7517): a file, or a URL
 * @param jwksCa whose certificate the URL's server must have; the JDK's authorities where null
 * @param jwksBearer the token to show there; null for none
 * @param audience for whom they must be made
 * @param issuer who must have made them
 * @param agents service accounts, {@code NAMESPACE:NAME}, whose tokens speak for the node that they name: of others
 *     anyone who may start a pod can have one
 */
public record TokenConfig(
        String jwks,
        @Nullable FlagFile jwksCa,
        @Nullable FlagFile jwksBearer,
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
            throw new IllegalArgumentException(
                    "--token-jwks " + jwks + " can be forged on its way: give an https URL, or a file");
        }
        if (!isUrl(jwks) && (jwksCa != null || jwksBearer != null)) {
            throw new IllegalArgumentException(
                    "--token-jwks-ca and --token-jwks-bearer are for a URL, and --token-jwks " + jwks + " is a file");
        }
        for (String agent : agents) {
            if (!agent.matches("[a-z0-9.-]+:[a-z0-9.-]+")) {
                throw new IllegalArgumentException(
                        "--token-service-account must be NAMESPACE:NAME, and is '" + agent + "'");
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
