package dev.exit137.cli.security;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.cli.Session;
import dev.exit137.daemon.tls.ClientSecurity;
import dev.exit137.daemon.tls.FlagFile;
import dev.exit137.daemon.tls.Tls;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TlsTest {
    private static final String NOBODY_YET = "exit137: no agent has reported yet";

    private final TestCa ca = new TestCa("the cluster's CA");
    private final TestCa otherCa = new TestCa("another CA");

    @TempDir
    private Path directory;

    private String caFile;
    private String otherCaFile;
    private Path serverCertificate;
    private Path serverKey;
    private Path clientCertificate;
    private Path clientKey;

    @BeforeEach
    void issueCertificates() {
        caFile = ca.write(directory.resolve("ca.crt")).toString();
        otherCaFile = otherCa.write(directory.resolve("other-ca.crt")).toString();
        serverCertificate = directory.resolve("server.crt");
        serverKey = directory.resolve("server.key");
        clientCertificate = directory.resolve("client.crt");
        clientKey = directory.resolve("client.key");
        ca.issue("aggregator", "ip:127.0.0.1", "dns:aggregator.example").write(serverCertificate, serverKey);
        ca.issue("worker-1", "uri:node:worker-1").write(clientCertificate, clientKey);
    }

    private SecuredAggregator tls() throws InterruptedException {
        return new SecuredAggregator(
                directory, "--tls-cert", serverCertificate.toString(), "--tls-key", serverKey.toString());
    }

    private SecuredAggregator mutualTls() throws InterruptedException {
        return new SecuredAggregator(
                directory,
                "--tls-cert",
                serverCertificate.toString(),
                "--tls-key",
                serverKey.toString(),
                "--tls-client-ca",
                caFile);
    }

    private String askWithCertificate(SecuredAggregator aggregator) {
        return aggregator.ask(
                "--tls-ca", caFile, "--tls-cert", clientCertificate.toString(), "--tls-key", clientKey.toString());
    }

    private ClientSecurity agent() throws IOException {
        return ClientSecurity.open(
                new FlagFile("--tls-ca", Path.of(caFile)),
                new Tls.ClientCertificate(
                        new FlagFile("--tls-cert", clientCertificate), new FlagFile("--tls-key", clientKey)),
                null,
                null,
                InstantSource.system());
    }

    @ParameterizedTest
    @ValueSource(strings = {"EC", "RSA", "Ed25519"})
    void aKeyOfAnyUsualKindServes(String algorithm) throws Exception {
        ca.issue(TestCa.keys(algorithm), "aggregator", Instant.now().plusSeconds(3600), "ip:127.0.0.1")
                .write(serverCertificate, serverKey);
        ca.issue(TestCa.keys(algorithm), "reader", Instant.now().plusSeconds(3600), "dns:reader")
                .write(clientCertificate, clientKey);
        try (SecuredAggregator aggregator = mutualTls()) {
            assertThat(askWithCertificate(aggregator)).isEqualTo(NOBODY_YET);
        }
    }

    @Test
    void anAggregatorOfAnotherAuthorityIsNotBelieved() throws Exception {
        try (SecuredAggregator aggregator = tls()) {
            assertThat(aggregator.ask("--tls-ca", otherCaFile))
                    .startsWith("exit137: cannot reach the aggregator at " + aggregator.address()
                            + ": the certificate of CN=aggregator, issued by CN=the cluster's CA, is vouched for by no authority in "
                            + otherCaFile + " (--tls-ca)");
        }
    }

    @Test
    void anAggregatorOfAnotherNameIsNotBelievedUnlessThatNameIsExpected() throws Exception {
        ca.issue("aggregator", "dns:aggregator.example").write(serverCertificate, serverKey);
        try (SecuredAggregator aggregator = tls()) {
            assertThat(aggregator.ask("--tls-ca", caFile))
                    .contains("the certificate is of CN=aggregator, for aggregator.example, and not for the name")
                    .contains("--tls-server-name");
            assertThat(aggregator.ask("--tls-ca", caFile, "--tls-server-name", "aggregator.example"))
                    .isEqualTo(NOBODY_YET);
            assertThat(aggregator.ask("--tls-ca", caFile, "--tls-server-name", "database.example"))
                    .contains("for aggregator.example, and not for the name");
        }
    }

    @Test
    void anAggregatorWithAnExpiredCertificateIsNotBelievedUntilItHasANewOne() throws Exception {
        ca.issueExpired("aggregator", "ip:127.0.0.1").write(serverCertificate, serverKey);
        try (SecuredAggregator aggregator = tls()) {
            assertThat(aggregator.ask("--tls-ca", caFile)).contains("the certificate of CN=aggregator expired at 20");

            ca.issue("aggregator", "ip:127.0.0.1").write(serverCertificate, serverKey);

            assertThat(aggregator.ask("--tls-ca", caFile)).isEqualTo(NOBODY_YET);
        }
    }

    @Test
    void aClockThatIsWrongIsNamedWhereACertificateIsRefused() throws Exception {
        try (SecuredAggregator aggregator = tls()) {
            assertThat(aggregator.ask(InstantSource.fixed(Instant.EPOCH), "--tls-ca", otherCaFile))
                    .contains("the certificate of CN=aggregator is valid from ")
                    .contains(" only; compare the clocks of the two machines");
        }
    }

    @Test
    void aCertificateThatEndsWhileItsConnectionIsOpenIsRefused() throws Exception {
        // The handshake goes by the JDK's clock, and so is like one of long ago.
        InstantSource later = InstantSource.fixed(Instant.now().plus(Duration.ofDays(10)));
        try (SecuredAggregator aggregator = new SecuredAggregator(
                directory,
                later,
                "--tls-cert",
                serverCertificate.toString(),
                "--tls-key",
                serverKey.toString(),
                "--tls-client-ca",
                caFile)) {
            assertThat(askWithCertificate(aggregator))
                    .contains("the client's certificate expired at ")
                    .contains("; connect with a new one (UNAUTHENTICATED)");
        }
    }

    @Test
    void aWatchWhoseCertificateEndsGoesOnWithTheNewOne() throws Exception {
        AtomicReference<Instant> now = new AtomicReference<>(Instant.now());
        Session watch = new Session();
        watch.clock = InstantSource.system();
        try (SecuredAggregator aggregator = new SecuredAggregator(
                directory,
                now::get,
                "--tls-cert",
                serverCertificate.toString(),
                "--tls-key",
                serverKey.toString(),
                "--tls-client-ca",
                caFile)) {
            assertThat(aggregator.publish(agent(), "worker-1")).isEqualTo(Status.OK);
            CompletableFuture<Integer> exitCode = watch.start(
                    "watch",
                    "-o",
                    "json",
                    "--from",
                    "1970-01-01T00:00:00Z",
                    "--server",
                    aggregator.address(),
                    "--tls-ca",
                    caFile,
                    "--tls-cert",
                    clientCertificate.toString(),
                    "--tls-key",
                    clientKey.toString());
            assertThat(watch.nextLine()).contains("an-event-of-worker-1");
            Instant later = now.get().plus(Duration.ofHours(36));
            ca.issue(TestCa.keys("EC"), "on-call", later, "uri:node:worker-2").write(clientCertificate, clientKey);

            now.set(now.get().plus(Duration.ofHours(25)));

            assertThat(watch.nextErrorLine())
                    .contains("the token or certificate with which this stream began ended at ");
            assertThat(watch.nextErrorLine()).isEqualTo("exit137: connected again");
            assertThat(aggregator.publish(agent(), "worker-2")).isEqualTo(Status.OK);
            assertThat(watch.nextLine()).contains("an-event-of-worker-2");
            watch.stop.request();
            assertThat(exitCode.get(60, TimeUnit.SECONDS)).isZero();
        }
    }

    @Test
    void aRotatedCertificateIsServedWithoutARestart() throws Exception {
        try (SecuredAggregator aggregator = tls()) {
            assertThat(aggregator.ask("--tls-ca", caFile)).isEqualTo(NOBODY_YET);

            otherCa.issue("aggregator", "ip:127.0.0.1").write(serverCertificate, serverKey);

            assertThat(aggregator.ask("--tls-ca", otherCaFile)).isEqualTo(NOBODY_YET);
            assertThat(aggregator.ask("--tls-ca", caFile)).contains("vouched for by no authority");
        }
    }

    @Test
    void aRotationThatWentWrongLeavesTheOldCertificateInUse() throws Exception {
        try (SecuredAggregator aggregator = tls()) {
            Files.writeString(serverCertificate, "half a certifica");
            assertThat(aggregator.ask("--tls-ca", caFile)).isEqualTo(NOBODY_YET);

            Files.delete(serverCertificate);
            assertThat(aggregator.ask("--tls-ca", caFile)).isEqualTo(NOBODY_YET);

            // A certificate whose key is not there yet.
            ca.issue("aggregator", "ip:127.0.0.1").write(serverCertificate, directory.resolve("not-yet.key"));
            assertThat(aggregator.ask("--tls-ca", caFile)).isEqualTo(NOBODY_YET);
        }
    }

    @Test
    void aRotatedAuthorityOfClientsIsBelievedWithoutARestart() throws Exception {
        otherCa.issue("worker-1", "uri:node:worker-1").write(clientCertificate, clientKey);
        try (SecuredAggregator aggregator = mutualTls()) {
            assertThat(askWithCertificate(aggregator)).contains("it refuses this client's certificate");

            // The bundle of both, while one follows the other.
            Files.writeString(
                    Path.of(caFile), Files.readString(Path.of(otherCaFile)) + Files.readString(Path.of(caFile)));

            assertThat(askWithCertificate(aggregator)).isEqualTo(NOBODY_YET);
        }
    }

    @Test
    void anAgentWithAnExpiredCertificateIsRefusedUntilItHasANewOne() throws Exception {
        ca.issueExpired("worker-1", "uri:node:worker-1").write(clientCertificate, clientKey);
        try (SecuredAggregator aggregator = mutualTls()) {
            ClientSecurity agent = agent();
            assertThat(aggregator.publish(agent, "worker-1").getCode()).isEqualTo(Status.Code.UNAVAILABLE);

            ca.issue("worker-1", "uri:node:worker-1").write(clientCertificate, clientKey);

            assertThat(aggregator.publish(agent, "worker-1")).isEqualTo(Status.OK);
        }
    }

    @Test
    void whoeverShowsNoCertificateIsToldToShowOne() throws Exception {
        try (SecuredAggregator aggregator = mutualTls()) {
            assertThat(aggregator.ask("--tls-ca", caFile))
                    .isEqualTo("exit137: the aggregator at " + aggregator.address()
                            + " refused: the aggregator must know who calls: give a client certificate (--tls-cert, --tls-key)"
                            + " (UNAUTHENTICATED)");
        }
    }

    @Test
    void plaintextAndTlsDoNotUnderstandEachOtherAndSayWhatToDo(@TempDir Path other) throws Exception {
        try (SecuredAggregator tls = tls();
                SecuredAggregator plaintext = new SecuredAggregator(other)) {
            assertThat(tls.ask()).contains("--tls-ca");
            assertThat(plaintext.ask("--tls-ca", caFile)).contains("it speaks plaintext: leave out --tls-ca");
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
      aggregator --listen 0.0.0.0:0                                  | others can reach 0.0.0.0:0
      run --listen 192.0.2.1:0                                       | give --plaintext for that
      aggregator --tls-cert server.crt                               | --tls-cert and --tls-key need each other
      aggregator --tls-client-ca ca.crt                              | --tls-client-ca needs TLS
      aggregator --plaintext --tls-cert server.crt --tls-key server.key | exclude each other
      aggregator --tls-cert none.crt --tls-key server.key            | --tls-cert none.crt: there is no such file
      aggregator --tls-cert server.crt --tls-key client.key          | --tls-key client.key: it is not the key of the certificate in --tls-cert server.crt
      aggregator --tls-cert server.key --tls-key server.key          | --tls-cert server.key: it holds no certificate
      aggregator --tls-cert server.crt --tls-key server.crt          | --tls-key server.crt: it holds no key
      aggregator --tls-cert server.crt --tls-key rsa.key             | openssl pkcs8 -topk8 -nocrypt
      aggregator --tls-cert . --tls-key server.key                   | --tls-cert .: it cannot be read
      aggregator --tls-cert rubbish.crt --tls-key server.key         | a certificate in it is damaged
      aggregator --allow-read reader                                 | need to know who calls
      aggregator --allow-sender reader                               | need to know who calls
      aggregator --tls-cert server.crt --tls-key server.key --tls-client-ca ca.crt --allow-read a*b | 'a*b' of --allow-read
      agent --aggregator 127.0.0.1:1,aggregator.example:9137         | aggregator.example:9137 is not this machine
      agent --tls-ca none.crt                                        | --tls-ca none.crt: there is no such file
      agent --token-file none --aggregator 127.0.0.1:1               | --token-file none: there is no such file
      agent --token-file empty --aggregator 127.0.0.1:1              | --token-file empty: it holds no token
      nodes --server 192.0.2.1:9137                                  | give --tls-ca FILE for TLS, or --plaintext
      nodes --plaintext --token-file token --server 192.0.2.1:9137   | a token is not sent to 192.0.2.1:9137 without TLS
      nodes --tls-cert client.crt --tls-key client.key               | need TLS
      nodes --tls-ca ca.crt --plaintext                              | exclude each other
      watch --tls-ca ca.crt --tls-cert client.crt                    | --tls-cert and --tls-key need each other
      """)
    @Timeout(value = 2, unit = TimeUnit.MINUTES) // Where it is not refused, it runs for ever.
    void whatCannotBeSafeIsBadUsage(String line, String rule) throws Exception {
        Files.writeString(
                directory.resolve("rsa.key"), "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n");
        Files.writeString(
                directory.resolve("rubbish.crt"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        Files.createFile(directory.resolve("empty"));
        String[] args = line.split(" ");
        for (int i = 1; i < args.length; i++) {
            boolean file = args[i].matches("[a-z]+\\.(crt|key)|\\.|none|empty|token");
            args[i] = file ? directory.resolve(args[i]).toString() : args[i];
        }
        Session session = new Session();
        session.environment.put("EXIT137_DATA_DIR", directory.resolve("data").toString());
        session.environment.put("EXIT137_STATE_DIR", directory.resolve("state").toString());

        assertThat(session.run(args)).isEqualTo(2);

        assertThat(session.err().getFirst().replace(directory + "/", "").replace(directory.toString(), ""))
                .contains(rule);
    }
}
