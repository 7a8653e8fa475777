package dev.exit137.aggregator.access;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import io.grpc.Metadata;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** A cluster that signs tokens of service accounts with one key. */
public final class TestTokens {
    private static final String ISSUER = "https://kubernetes.default.svc.cluster.local";
    private static final String ACCOUNT = "system:serviceaccount:exit137:exit137-agent";

    private final ECKey key;

    /** With a new key of that id. */
    public TestTokens(String keyId) {
        try {
            key = new ECKeyGenerator(Curve.P_256).keyID(keyId).generate();
        } catch (JOSEException e) {
            throw new AssertionError(e);
        }
    }

    /** What the cluster publishes. */
    public static String jwks(TestTokens... clusters) {
        return new JWKSet(Stream.of(clusters).map(cluster -> (JWK) cluster.key).toList()).toString();
    }

    /** Takes them, and lets their service account publish for its node, and read. */
    public static AccessConfig accessConfig(String jwks) {
        return accessConfig(jwks, List.of());
    }

    /** The same, and these may read who sent a signal. */
    public static AccessConfig accessConfig(String jwks, List<String> mayReadSender) {
        return new AccessConfig(
                null, null, null, config(jwks), AccessConfig.DEFAULT_MAY_PUBLISH, List.of(ACCOUNT), mayReadSender);
    }

    static TokenConfig config(String jwks) {
        return new TokenConfig(jwks, null, null, "exit137", ISSUER, List.of("exit137:exit137-agent"));
    }

    /** Of a pod on a node. */
    public String token(String node, Instant begin, Instant end) {
        JWTClaimsSet claims = new JWTClaimsSet.Builder()
                .issuer(ISSUER)
                .audience("exit137")
                .subject(ACCOUNT)
                .notBeforeTime(Date.from(begin))
                .expirationTime(Date.from(end))
                .claim("kubernetes.io", Map.of("namespace", "exit137", "node", Map.of("name", node)))
                .build();
        SignedJWT token = new SignedJWT(
                new JWSHeader.Builder(JWSAlgorithm.ES256).keyID(key.getKeyID()).build(), claims);
        try {
            token.sign(new ECDSASigner(key));
        } catch (JOSEException e) {
            throw new AssertionError(e);
        }
        return token.serialize();
    }

    /** The headers of a call that shows a token. */
    public static Metadata headers(String token) {
        Metadata headers = new Metadata();
        headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
        return headers;
    }
}
