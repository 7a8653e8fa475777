package dev.exit137.cli.manifests;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import dev.exit137.cli.security.TestCa;
import io.fabric8.kubernetes.api.model.KeyToPath;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.api.model.ProjectedVolumeSource;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.SecretVolumeSource;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeProjection;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Base64;
import java.util.Date;
import java.util.List;
import java.util.Map;

/** What the kubelet and the API server do for a pod: its volumes, its tokens, and the keys to check these. */
final class FakeCluster implements AutoCloseable {
    static final String ISSUER = "https://kubernetes.default.svc.cluster.local";
    private static final String KEYS = "/openid/v1/jwks";

    private final TestCa ca = new TestCa("the cluster's CA");
    private final ECKey signer = newSigner();
    private final List<Secret> secrets =
            Manifests.parse(Kustomize.secrets()).all(Secret.class).toList();
    private final HttpsServer apiServer;

    FakeCluster() throws Exception {
        apiServer = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        apiServer.setHttpsConfigurator(
                new HttpsConfigurator(ca.issue("kube-apiserver", "ip:127.0.0.1").serverContext()));
        apiServer.createContext(KEYS, this::answer);
        apiServer.start();
    }

    private static ECKey newSigner() {
        try {
            return new ECKeyGenerator(Curve.P_256).keyID("of-the-cluster").generate();
        } catch (JOSEException e) {
            throw new AssertionError(e);
        }
    }

    /** As system:service-account-issuer-discovery allows it: to every service account, and to nobody else. */
    private void answer(HttpExchange exchange) throws IOException {
        String authorization = exchange.getRequestHeaders().getFirst("Authorization");
        boolean known = authorization != null && isAccount(authorization.replaceFirst("^Bearer ", ""));
        byte[] body = (known ? new JWKSet(signer).toString() : "forbidden").getBytes(UTF_8);
        exchange.sendResponseHeaders(known ? 200 : 403, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    private static boolean isAccount(String token) {
        try {
            JWTClaimsSet claims = SignedJWT.parse(token).getJWTClaimsSet();
            return claims.getSubject().startsWith("system:serviceaccount:")
                    && claims.getAudience().contains(ISSUER);
        } catch (java.text.ParseException e) {
            return false;
        }
    }

    /** Where the API server's address is used, this one's. */
    String keysUrl() {
        return "https://127.0.0.1:" + apiServer.getAddress().getPort() + KEYS;
    }

    /** Fills the volumes that the cluster fills; the others are those of the node, and stay as they are. */
    void mount(PodTemplateSpec template, DaemonPod pod) throws Exception {
        for (Volume volume : template.getSpec().getVolumes()) {
            Path directory = pod.volume(volume.getName());
            if (volume.getSecret() != null) {
                write(volume.getSecret(), directory);
            } else if (volume.getProjected() != null) {
                write(volume.getProjected(), template.getSpec().getServiceAccountName(), directory);
            }
        }
    }

    private void write(SecretVolumeSource source, Path directory) throws IOException {
        Map<String, String> data = secret(source.getSecretName());
        List<KeyToPath> items = source.getItems().isEmpty()
                ? data.keySet().stream()
                        .map(key -> new KeyToPath(key, null, key))
                        .toList()
                : source.getItems();
        for (KeyToPath item : items) {
            Files.write(directory.resolve(item.getPath()), Base64.getDecoder().decode(data.get(item.getKey())));
        }
    }

    Map<String, String> secret(String name) {
        return secrets.stream()
                .filter(each -> each.getMetadata().getName().equals(name))
                .findFirst()
                .orElseThrow()
                .getData();
    }

    private void write(ProjectedVolumeSource projected, String account, Path directory) throws Exception {
        for (VolumeProjection source : projected.getSources()) {
            if (source.getServiceAccountToken() != null) {
                String audience = source.getServiceAccountToken().getAudience();
                Files.writeString(
                        directory.resolve(source.getServiceAccountToken().getPath()),
                        token(account, audience == null ? ISSUER : audience));
            } else {
                assertThat(source.getConfigMap().getName()).isEqualTo("kube-root-ca.crt");
                source.getConfigMap().getItems().forEach(item -> ca.write(directory.resolve(item.getPath())));
            }
        }
    }

    /** As Kubernetes 1.30 writes it for a pod. */
    String token(String account, String audience) throws JOSEException {
        Instant now = Instant.now();
        SignedJWT token = new SignedJWT(
                new JWSHeader.Builder(JWSAlgorithm.ES256)
                        .keyID(signer.getKeyID())
                        .build(),
                new JWTClaimsSet.Builder()
                        .issuer(ISSUER)
                        .audience(audience)
                        .subject("system:serviceaccount:exit137:" + account)
                        .expirationTime(Date.from(now.plusSeconds(3600)))
                        .claim("kubernetes.io", Map.of("namespace", "exit137", "node", Map.of("name", DaemonPod.NODE)))
                        .build());
        token.sign(new ECDSASigner(signer));
        return token.serialize();
    }

    @Override
    public void close() {
        apiServer.stop(0);
    }
}
