package dev.exit137.cli.security;

import static org.assertj.core.api.Assertions.assertThat;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.PlainJWT;
import com.nimbusds.jwt.SignedJWT;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import dev.exit137.cli.Session;
import dev.exit137.daemon.tls.ClientSecurity;
import dev.exit137.daemon.tls.FlagFile;
import io.grpc.Status;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Agents and readers that show tokens of Kubernetes service accounts. */
class TokenTest {
    // The aggregator's, by which it judges tokens; that of the JDK, which judges certificates, is another.
    private static final InstantSource CLOCK = InstantSource.fixed(Instant.parse("2001-02-03T04:05:06Z"));
    private static final String NOBODY_YET = "exit137: no agent has reported yet";
    private static final String ISSUER = "https://kubernetes.default.svc.cluster.local";
    private static final String AGENT = "system:serviceaccount:exit137:exit137-agent";

    private final TestCa ca = new TestCa("the cluster's CA");
    private ECKey clusterKey;

    @TempDir
    private Path directory;

    private Path caFile;
    private Path jwks;
    private Path tokenFile;

    @BeforeEach
    void makeTheCluster() throws Exception {
        clusterKey = new ECKeyGenerator(Curve.P_256).keyID("cluster-key-1").generate();
        caFile = ca.write(directory.resolve("ca.crt"));
        ca.issue("aggregator", "ip:127.0.0.1").write(directory.resolve("server.crt"), directory.resolve("server.key"));
        jwks = Files.writeString(directory.resolve("jwks.json"), new JWKSet(clusterKey).toString());
        tokenFile = directory.resolve("token");
    }

    private SecuredAggregator aggregator(String... more) throws InterruptedException {
        return aggregatorWithKeysOf(jwks.toString(), more);
    }

    private SecuredAggregator aggregatorWithKeysOf(String keys, String... more) throws InterruptedException {
        return new SecuredAggregator(
                directory,
                CLOCK,
                Stream.concat(
                                Stream.of(
                                        "--tls-cert",
                                        directory.resolve("server.crt").toString(),
                                        "--tls-key",
                                        directory.resolve("server.key").toString(),
                                        "--token-jwks",
                                        keys,
                                        "--token-audience",
                                        "exit137",
                                        "--token-issuer",
                                        ISSUER,
                                        "--token-service-account",
                                        "exit137:exit137-agent"),
                                Stream.of(more))
                        .toArray(String[]::new));
    }

    /** What the API server writes for a pod on that node, as Kubernetes 1.30 does. */
    private static JWTClaimsSet.Builder claims(String account, String node) {
        Instant now = CLOCK.instant();
        return new JWTClaimsSet.Builder()
                .issuer(ISSUER)
                .audience("exit137")
                .subject(account)
                .issueTime(Date.from(now))
                .notBeforeTime(Date.from(now))
                .expirationTime(Date.from(now.plusSeconds(3600)))
                .claim(
                        "kubernetes.io",
                        Map.of(
                                "namespace", "exit137",
                                "node", Map.of("name", node, "uid", "3e6ac7f0-9d6c-4b53-9a4c-0d0d5f6c6b51"),
                                "pod",
                                        Map.of(
                                                "name",
                                                "exit137-agent-x7k2p",
                                                "uid",
                                                "5fb7b1b4-34b4-4c87-9d0e-3c8b3a0b7d11"),
                                "serviceaccount",
                                        Map.of(
                                                "name",
                                                "exit137-agent",
                                                "uid",
                                                "0c5f2d6e-7a29-4a43-8d94-1f5f6d3f1c0a")));
    }

    private String signed(JWTClaimsSet.Builder claims) throws JOSEException {
        return signed(claims, clusterKey);
    }

    private static String signed(JWTClaimsSet.Builder claims, ECKey key) throws JOSEException {
        SignedJWT token = new SignedJWT(
                new JWSHeader.Builder(JWSAlgorithm.ES256).keyID(key.getKeyID()).build(), claims.build());
        token.sign(new ECDSASigner(key));
        return token.serialize();
    }

    private ClientSecurity agentWith(String token) throws IOException {
        // As the kubelet does: another file in its place.
        Path fresh = Files.writeString(directory.resolve("token.new"), token + "\n");
        Files.move(fresh, tokenFile, StandardCopyOption.REPLACE_EXISTING);
        return ClientSecurity.open(
                new FlagFile("--tls-ca", caFile),
                null,
                null,
                new FlagFile("--token-file", tokenFile),
                InstantSource.system());
    }

    private void assertThatIsRefused(SecuredAggregator aggregator, String token, String why) throws Exception {
        Status status = aggregator.publish(agentWith(token), "worker-1");
        assertThat(status.getCode()).as(status.toString()).isEqualTo(Status.Code.UNAUTHENTICATED);
        assertThat(status.getDescription())
                .startsWith("the token is not taken: ")
                .contains(why)
                .doesNotContain(token);
    }

    @Test
    void anAgentPublishesForTheNodeThatItsTokenNamesAndForNoOther() throws Exception {
        try (SecuredAggregator aggregator = aggregator()) {
            ClientSecurity agent = agentWith(signed(claims(AGENT, "worker-1")));

            assertThat(aggregator.publish(agent, "worker-1")).isEqualTo(Status.OK);
            Status refused = aggregator.publish(agent, "worker-2");

            assertThat(refused.getCode()).isEqualTo(Status.Code.PERMISSION_DENIED);
            assertThat(refused.getDescription()).contains("may not publish for node worker-2");
        }
    }

    @Test
    void aTokenThatIsNotGoodIsRefusedWithItsReason() throws Exception {
        try (SecuredAggregator aggregator = aggregator()) {
            Date aMinuteAgo = Date.from(CLOCK.instant().minusSeconds(60));
            Date inAMinute = Date.from(CLOCK.instant().plusSeconds(60));
            ECKey forger =
                    new ECKeyGenerator(Curve.P_256).keyID("cluster-key-1").generate();

            assertThatIsRefused(
                    aggregator, signed(claims(AGENT, "worker-1").expirationTime(aMinuteAgo)), "it has expired");
            assertThatIsRefused(aggregator, signed(claims(AGENT, "worker-1").expirationTime(null)), "exp");
            assertThatIsRefused(
                    aggregator, signed(claims(AGENT, "worker-1").notBeforeTime(inAMinute)), "before use time");
            assertThatIsRefused(aggregator, signed(claims(AGENT, "worker-1").audience("vault")), "audience");
            assertThatIsRefused(aggregator, signed(claims(AGENT, "worker-1").issuer("https://other.example")), "iss");
            assertThatIsRefused(aggregator, signed(claims("admin", "worker-1")), "service account");
            assertThatIsRefused(
                    aggregator, signed(claims(AGENT, "worker-1").claim("kubernetes.io", null)), "names no node");
            assertThatIsRefused(aggregator, signed(claims(AGENT, "worker-1"), forger), "signature");
            assertThatIsRefused(aggregator, "rubbish", "no JWT");
            assertThatIsRefused(
                    aggregator, new PlainJWT(claims(AGENT, "worker-1").build()).serialize(), "plain");
            assertThatIsRefused(aggregator, signedWithThePublicKey(claims(AGENT, "worker-1")), "");
        }
    }

    /** The classic: a MAC, with the key that everyone knows. */
    private String signedWithThePublicKey(JWTClaimsSet.Builder claims) throws JOSEException {
        SignedJWT token = new SignedJWT(
                new JWSHeader.Builder(JWSAlgorithm.HS256).keyID("cluster-key-1").build(), claims.build());
        token.sign(new MACSigner(clusterKey.toECPublicKey().getEncoded()));
        return token.serialize();
    }

    @Test
    void aTokenOfAnotherServiceAccountSpeaksForNoNode() throws Exception {
        try (SecuredAggregator aggregator = aggregator()) {
            Status status = aggregator.publish(
                    agentWith(signed(claims("system:serviceaccount:shop:web", "worker-1"))), "worker-1");

            assertThat(status.getCode()).isEqualTo(Status.Code.PERMISSION_DENIED);
            assertThat(status.getDescription())
                    .contains("system:serviceaccount:shop:web may not publish")
                    .contains("--token-service-account exit137:exit137-agent");
        }
    }

    @Test
    void aTokenReadsOnlyWhereItsServiceAccountIsNamed() throws Exception {
        String scaler = "system:serviceaccount:shop:scaler";
        Files.writeString(tokenFile, signed(claims(scaler, "worker-1")));
        String[] reader = {"--tls-ca", caFile.toString(), "--token-file", tokenFile.toString()};
        try (SecuredAggregator aggregator = aggregator()) {
            assertThat(aggregator.ask(reader))
                    .contains(scaler + " may not read here")
                    .contains("PERMISSION_DENIED");
        }
        try (SecuredAggregator aggregator = aggregator("--allow-read", scaler)) {
            assertThat(aggregator.ask(reader)).isEqualTo(NOBODY_YET);
            assertThat(aggregator.ask("--tls-ca", caFile.toString())).contains("give a token (--token-file)");
        }
    }

    @Test
    void aRotatedTokenIsSentByAnAgentThatHasBeenRunning() throws Exception {
        try (SecuredAggregator aggregator = aggregator()) {
            ClientSecurity agent = agentWith(signed(claims(AGENT, "worker-1")
                    .expirationTime(Date.from(CLOCK.instant().minusSeconds(60)))));
            assertThat(aggregator.publish(agent, "worker-1").getCode()).isEqualTo(Status.Code.UNAUTHENTICATED);

            agentWith(signed(claims(AGENT, "worker-1")));

            assertThat(aggregator.publish(agent, "worker-1")).isEqualTo(Status.OK);
        }
    }

    @Test
    void rotatedKeysOfTheClusterAreTakenWithoutARestart() throws Exception {
        ECKey next = new ECKeyGenerator(Curve.P_256).keyID("cluster-key-2").generate();
        try (SecuredAggregator aggregator = aggregator()) {
            String token = signed(claims(AGENT, "worker-1"), next);
            assertThatIsRefused(aggregator, token, "no matching key");

            Files.writeString(jwks, new JWKSet(List.of(clusterKey, next)).toString());
            assertThat(aggregator.publish(agentWith(token), "worker-1")).isEqualTo(Status.OK);

            // What is written next cannot be used: those that were there stay.
            Files.writeString(jwks, "{\"keys\": [");
            assertThat(aggregator.publish(agentWith(token), "worker-1")).isEqualTo(Status.OK);
        }
    }

    @Test
    void keysMayComeFromAUrl() throws Exception {
        HttpServer cluster = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        cluster.createContext("/openid/v1/jwks", exchange -> {
            byte[] body = new JWKSet(clusterKey).toString().getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        cluster.start();
        String url = "http://127.0.0.1:" + cluster.getAddress().getPort() + "/openid/v1/jwks";
        try (SecuredAggregator aggregator = aggregatorWithKeysOf(url)) {
            assertThat(aggregator.publish(agentWith(signed(claims(AGENT, "worker-1"))), "worker-1"))
                    .isEqualTo(Status.OK);
        } finally {
            cluster.stop(0);
        }
    }

    @Test
    void anApiServerGivesItsKeysToItsOwnAuthorityAndForAToken() throws Exception {
        List<String> shown = new CopyOnWriteArrayList<>();
        HttpsServer cluster = apiServer(shown);
        Path bearer = Files.writeString(directory.resolve("bearer"), "first\n");
        String url = "https://127.0.0.1:" + cluster.getAddress().getPort() + "/openid/v1/jwks";
        try (SecuredAggregator aggregator = aggregatorWithKeysOf(
                url, "--token-jwks-ca", caFile.toString(), "--token-jwks-bearer", bearer.toString())) {
            Status early = aggregator.publish(agentWith(signed(claims(AGENT, "worker-1"))), "worker-1");
            assertThat(early.getCode()).isEqualTo(Status.Code.UNAVAILABLE);
            assertThat(early.getDescription())
                    .contains("cannot have the keys that check tokens")
                    .contains("403");

            // The kubelet has rotated it.
            Files.writeString(bearer, "the-aggregators-token\n");
            assertThat(aggregator.publish(agentWith(signed(claims(AGENT, "worker-1"))), "worker-1"))
                    .isEqualTo(Status.OK);
            assertThat(shown).contains("Bearer first").endsWith("Bearer the-aggregators-token");
        }
        try (SecuredAggregator aggregator = aggregatorWithKeysOf(url, "--token-jwks-bearer", bearer.toString())) {
            shown.clear();
            assertThat(aggregator
                            .publish(agentWith(signed(claims(AGENT, "worker-1"))), "worker-1")
                            .getCode())
                    .isEqualTo(Status.Code.UNAVAILABLE);
            // Whoever that is, it has no certificate that is believed here, and gets no token.
            assertThat(shown).isEmpty();
        } finally {
            cluster.stop(0);
        }
    }

    private HttpsServer apiServer(List<String> shown) throws Exception {
        HttpsServer server = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setHttpsConfigurator(
                new HttpsConfigurator(ca.issue("kube-apiserver", "ip:127.0.0.1").serverContext()));
        server.createContext("/openid/v1/jwks", exchange -> {
            String authorization = exchange.getRequestHeaders().getFirst("Authorization");
            shown.add(authorization);
            boolean known = authorization.equals("Bearer the-aggregators-token");
            byte[] body = (known ? new JWKSet(clusterKey).toString() : "forbidden").getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(known ? 200 : 403, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        return server;
    }

    @Test
    void whatIsSaidOfAUrlIsBadUsageWithAFile() {
        Session session = new Session();
        assertThat(session.run(
                        "aggregator",
                        "--token-jwks",
                        jwks.toString(),
                        "--token-audience",
                        "exit137",
                        "--token-issuer",
                        ISSUER,
                        "--token-jwks-ca",
                        caFile.toString()))
                .isEqualTo(2);
        assertThat(session.err()).first().asString().contains("--token-jwks-ca and --token-jwks-bearer are for a URL");
    }

    @Test
    void keysThatCannotBeFetchedMakeTheAgentTryAgain() throws Exception {
        // Nobody listens on port 1.
        try (SecuredAggregator aggregator = aggregatorWithKeysOf("http://127.0.0.1:1/jwks")) {
            Status status = aggregator.publish(agentWith(signed(claims(AGENT, "worker-1"))), "worker-1");

            assertThat(status.getCode()).isEqualTo(Status.Code.UNAVAILABLE);
            assertThat(status.getDescription()).contains("cannot have the keys that check tokens");
        }
    }
}
