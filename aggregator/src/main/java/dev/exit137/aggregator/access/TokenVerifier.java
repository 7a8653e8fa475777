package dev.exit137.aggregator.access;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.KeySourceException;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKMatcher;
import com.nimbusds.jose.jwk.JWKSelector;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.jwt.proc.BadJWTException;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import com.nimbusds.jwt.proc.ExpiredJWTException;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.tls.FlagFile;
import dev.exit137.daemon.tls.Reloaded;
import dev.exit137.daemon.tls.UnusableFileException;
import io.grpc.Status;
import io.grpc.StatusException;
import java.net.MalformedURLException;
import java.net.URI;
import java.nio.file.Path;
import java.text.ParseException;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Date;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/**
 * Verifies tokens of Kubernetes service accounts: signature, audience, issuer, time, and the node for which the kubelet
 * requested the token. https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/ describes their
 * claims. Safe for all threads.
 */
final class TokenVerifier implements AutoCloseable {
    // Public keys only: a verifier of tokens must not be able to make one.
    private static final Set<JWSAlgorithm> ALGORITHMS = Set.of(
            JWSAlgorithm.RS256,
            JWSAlgorithm.RS384,
            JWSAlgorithm.RS512,
            JWSAlgorithm.PS256,
            JWSAlgorithm.PS384,
            JWSAlgorithm.PS512,
            JWSAlgorithm.ES256,
            JWSAlgorithm.ES384,
            JWSAlgorithm.ES512);

    private static final int MAX_CLOCK_SKEW_SECONDS = 5;
    private static final String SERVICE_ACCOUNT = "system:serviceaccount:";

    /**
     * The facts that a token proves.
     *
     * @param names its service account, in the notation of Kubernetes, and its node
     * @param until when it expires, including the tolerated clock skew
     */
    record Proof(Set<String> names, Instant until) {}

    private final TokenConfig config;
    private final TokenKeys.Source keys;
    private final DefaultJWTProcessor<TokenKeys> processor = new DefaultJWTProcessor<>();

    /**
     * Reads the keys from a file, or starts to fetch them.
     *
     * @param clock the wall clock
     */
    TokenVerifier(TokenConfig config, InstantSource clock, Guard guard) throws UnusableFileException {
        this(config, keys(config, clock, guard), clock);
    }

    TokenVerifier(TokenConfig config, TokenKeys.Source keys, InstantSource clock) {
        this.config = config;
        this.keys = keys;
        processor.setJWSKeySelector(new JWSVerificationKeySelector<>(ALGORITHMS, TokenVerifier::select));
        JWTClaimsSet exact = new JWTClaimsSet.Builder().issuer(config.issuer()).build();
        DefaultJWTClaimsVerifier<TokenKeys> claims =
                new DefaultJWTClaimsVerifier<>(config.audience(), exact, Set.of("sub", "exp")) {
                    @Override
                    protected Date currentTime() {
                        return Date.from(clock.instant());
                    }
                };
        claims.setMaxClockSkew(MAX_CLOCK_SKEW_SECONDS);
        processor.setJWTClaimsSetVerifier(claims);
    }

    private static TokenKeys.Source keys(TokenConfig config, InstantSource clock, Guard guard)
            throws UnusableFileException {
        if (!config.isUrl()) {
            FlagFile file = new FlagFile("--token-jwks", Path.of(config.jwks()));
            return new Reloaded<>(List.of(file), () -> parse(file))::get;
        }
        try {
            return new FetchedKeys(
                    URI.create(config.jwks()).toURL(),
                    new KeyFetcher(config.jwksCa(), config.jwksBearer(), clock),
                    guard);
        } catch (MalformedURLException | IllegalArgumentException e) {
            throw new IllegalArgumentException("--token-jwks " + config.jwks() + " is no URL: " + e.getMessage(), e);
        }
    }

    private static TokenKeys parse(FlagFile file) throws UnusableFileException {
        try {
            return TokenKeys.parse(file.read());
        } catch (ParseException e) {
            throw file.unusable(
                    "it is no JWK set (" + e.getMessage()
                            + "); kubectl get --raw /openid/v1/jwks prints that of a cluster",
                    e);
        }
    }

    private static List<JWK> select(JWKSelector selector, TokenKeys keys) throws KeySourceException {
        List<JWK> fitting = selector.select(keys.set());
        if (fitting.isEmpty() && keys.failure() != null) {
            throw new KeySourceException(keys.failure());
        }
        return fitting;
    }

    /** Returns the keys that verify a token: the current keys, or the newest ones if no current key fits. */
    CompletableFuture<TokenKeys> keysFor(String token) {
        TokenKeys atHand = keys.atHand();
        return mayBeOfAnother(token, atHand) ? keys.newest() : CompletableFuture.completedFuture(atHand);
    }

    /** Whether a key that is not among these may have signed the token. */
    private static boolean mayBeOfAnother(String token, TokenKeys keys) {
        try {
            JWSHeader header = SignedJWT.parse(token).getHeader();
            return ALGORITHMS.contains(header.getAlgorithm())
                    && new JWKSelector(JWKMatcher.forJWSHeader(header))
                            .select(keys.set())
                            .isEmpty();
        } catch (ParseException e) {
            return false;
        }
    }

    /**
     * Verifies a token.
     *
     * @param keys the keys for it, see {@link #keysFor}
     * @throws StatusException says why the token is rejected, without quoting the token
     */
    Proof verify(String token, TokenKeys keys) throws StatusException {
        try {
            JWTClaimsSet claims = processor.process(token, keys);
            return new Proof(
                    names(claims), claims.getExpirationTime().toInstant().plusSeconds(MAX_CLOCK_SKEW_SECONDS));
        } catch (ExpiredJWTException e) {
            throw refused("it has expired; the agent reads a new one when its file is rotated (--token-file)");
        } catch (KeySourceException e) {
            throw Status.UNAVAILABLE
                    .withDescription("the aggregator cannot have the keys that check tokens: " + e.getMessage())
                    .asException();
        } catch (BadJWTException e) {
            throw refused(e.getMessage() + "; it must be for audience " + config.audience() + " by issuer "
                    + config.issuer());
        } catch (BadJOSEException e) {
            throw refused(Objects.requireNonNullElse(e.getMessage(), e.toString()));
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

    @Override
    public void close() {
        keys.close();
    }

    private static StatusException refused(String why) {
        return Status.UNAUTHENTICATED
                .withDescription("the token is not taken: " + why)
                .asException();
    }
}
