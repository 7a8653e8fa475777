package dev.exit137.cli.security;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.exit137.daemon.tls.ClientSecurity;
import dev.exit137.daemon.tls.FlagFile;
import dev.exit137.daemon.tls.Tls;
import dev.exit137.proto.v1.ListNodesRequest;
import dev.exit137.proto.v1.OomEventsGrpc;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import java.io.IOException;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who may do what, by the names in its certificate. */
class AccessTest {
    private static final String NOBODY_YET = "exit137: no agent has reported yet";

    private final TestCa ca = new TestCa("the cluster's CA");

    @TempDir
    private Path directory;

    private FlagFile caFile;

    @BeforeEach
    void issueCertificates() {
        caFile = new FlagFile("--tls-ca", ca.write(directory.resolve("ca.crt")));
        ca.issue("aggregator", "ip:127.0.0.1").write(directory.resolve("server.crt"), directory.resolve("server.key"));
    }

    private SecuredAggregator aggregator(String... rules) throws InterruptedException {
        return new SecuredAggregator(
                directory,
                Stream.concat(
                                Stream.of(
                                        "--tls-cert",
                                                directory.resolve("server.crt").toString(),
                                        "--tls-key",
                                                directory.resolve("server.key").toString(),
                                        "--tls-client-ca", caFile.path().toString()),
                                Stream.of(rules))
                        .toArray(String[]::new));
    }

    /** Somebody with a certificate for these names. */
    private ClientSecurity client(String... names) throws IOException {
        Path certificate = directory.resolve("client.crt");
        Path key = directory.resolve("client.key");
        ca.issue("client", names).write(certificate, key);
        return ClientSecurity.open(
                caFile,
                new Tls.ClientCertificate(new FlagFile("--tls-cert", certificate), new FlagFile("--tls-key", key)),
                null,
                null,
                InstantSource.system());
    }

    private String[] reader(String... names) {
        Path certificate = directory.resolve("reader.crt");
        Path key = directory.resolve("reader.key");
        ca.issue("reader", names).write(certificate, key);
        return new String[] {
            "--tls-ca", caFile.path().toString(), "--tls-cert", certificate.toString(), "--tls-key", key.toString()
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"uri:node:worker-1", "dns:node:worker-1"})
    void anAgentPublishesForItsOwnNodeAndForNoOther(String name) throws Exception {
        try (SecuredAggregator aggregator = aggregator()) {
            assertThat(aggregator.publish(client(name), "worker-1")).isEqualTo(Status.OK);

            Status refused = aggregator.publish(client(name), "worker-2");

            assertThat(refused.getCode()).isEqualTo(Status.Code.PERMISSION_DENIED);
            assertThat(refused.getDescription())
                    .isEqualTo(
                            "node:worker-1 may not publish for node worker-2; an agent's --node-name must be that node");
            assertThat(aggregator.storedNodes(reader("dns:reader")))
                    .singleElement()
                    .asString()
                    .contains("worker-1");
        }
    }

    @Test
    void aCertificateOfNoNodeDoesNotPublish() throws Exception {
        try (SecuredAggregator aggregator = aggregator()) {
            Status refused = aggregator.publish(client("dns:worker-1"), "worker-1");

            assertThat(refused.getCode()).isEqualTo(Status.Code.PERMISSION_DENIED);
            assertThat(refused.getDescription())
                    .isEqualTo("worker-1 may not publish here; the aggregator's rule: --allow-publish node:*");
            assertThat(aggregator.publish(client(), "worker-1").getDescription())
                    .startsWith("a certificate without a DNS or URI name may not publish here");
        }
    }

    @Test
    void whoeverIsNamedPublishesForAllNodes() throws Exception {
        try (SecuredAggregator aggregator = aggregator("--allow-publish", "relay.example,node:prod-*")) {
            assertThat(aggregator.publish(client("dns:relay.example"), "worker-1"))
                    .isEqualTo(Status.OK);
            assertThat(aggregator.publish(client("uri:node:prod-1"), "prod-1")).isEqualTo(Status.OK);
            assertThat(aggregator.publish(client("uri:node:prod-1"), "worker-1").getCode())
                    .isEqualTo(Status.Code.PERMISSION_DENIED);
            assertThat(aggregator.publish(client("uri:node:test-1"), "test-1").getCode())
                    .isEqualTo(Status.Code.PERMISSION_DENIED);
        }
    }

    @Test
    void whoeverHasACertificateReadsUnlessItIsSaidWhoMay() throws Exception {
        try (SecuredAggregator aggregator = aggregator()) {
            assertThat(aggregator.ask(reader())).isEqualTo(NOBODY_YET);
        }
        try (SecuredAggregator aggregator = aggregator("--allow-read", "on-call.example,spiffe://shop/*")) {
            assertThat(aggregator.ask(reader("dns:on-call.example"))).isEqualTo(NOBODY_YET);
            assertThat(aggregator.ask(reader("uri:spiffe://shop/scaler"))).isEqualTo(NOBODY_YET);
            assertThat(aggregator.ask(reader("uri:node:worker-1")))
                    .isEqualTo("exit137: the aggregator at " + aggregator.address()
                            + " refused: node:worker-1 may not read here; the"
                            + " aggregator's rule: --allow-read on-call.example,spiffe://shop/* (PERMISSION_DENIED)");
        }
    }

    @Test
    void whoAsksTooMuchIsRefusedByItsNameAndNotAnotherAtTheSameAddress() throws Exception {
        try (SecuredAggregator aggregator = aggregator("--peer-max-requests-per-second", "1")) {
            ManagedChannel flood =
                    client("uri:node:worker-1").channelTo(aggregator.address()).build();
            try {
                var stub = OomEventsGrpc.newBlockingStub(flood).withDeadlineAfter(2, TimeUnit.MINUTES);
                assertThatThrownBy(() -> {
                            for (int i = 0; i < 10_000; i++) {
                                stub.listNodes(ListNodesRequest.getDefaultInstance());
                            }
                        })
                        .hasMessageStartingWith(
                                "RESOURCE_EXHAUSTED: node:worker-1 at 127.0.0.1 asks more than 1 times a second");
                assertThat(aggregator.ask(reader("dns:reader"))).isEqualTo(NOBODY_YET);
            } finally {
                flood.shutdownNow().awaitTermination(2, TimeUnit.MINUTES);
            }
        }
    }

    @Test
    void aProbeAsksForTheHealthWithoutACertificate() throws Exception {
        ClientSecurity probe = ClientSecurity.open(caFile, null, null, null, InstantSource.system());
        try (SecuredAggregator aggregator = aggregator()) {
            ManagedChannel channel = probe.channelTo(aggregator.address()).build();
            try {
                assertThat(HealthGrpc.newBlockingStub(channel)
                                .withDeadlineAfter(2, TimeUnit.MINUTES)
                                .check(HealthCheckRequest.getDefaultInstance())
                                .getStatus())
                        .isEqualTo(ServingStatus.SERVING);
            } finally {
                channel.shutdownNow().awaitTermination(2, TimeUnit.MINUTES);
            }
        }
    }
}
