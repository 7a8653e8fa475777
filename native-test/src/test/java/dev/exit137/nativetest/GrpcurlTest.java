package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.util.Timestamps;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.PublishEventsResponse;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.stub.BlockingClientCall;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The real grpcurl, the tool that an on-call engineer has, against a running aggregator. It spells fields as the proto
 * files do, since descriptors that come from Java carry no JSON names.
 */
@Tag("kernel")
class GrpcurlTest {
    private static final String GRPCURL =
            "github.com/fullstorydev/grpcurl/cmd/grpcurl@" + System.getProperty("grpcurl.version");
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private static Path out;
    private static String grpcurl;
    private static String server;
    private static Process aggregator;

    @BeforeAll
    static void startAnAggregatorWithOneEvent() throws Exception {
        out = Bed.freshDirectory("grpcurl");
        grpcurl = install();
        int port = freePort();
        server = "127.0.0.1:" + port;
        aggregator = new ProcessBuilder(
                        Bed.exit137(),
                        "aggregator",
                        "--listen",
                        server,
                        "--data-dir",
                        out.resolve("data").toString())
                .redirectErrorStream(true)
                .redirectOutput(out.resolve("aggregator.log").toFile())
                .start();
        publish(port, event("one"));
    }

    @AfterAll
    static void stop() throws InterruptedException {
        if (aggregator != null) {
            Bed.end(aggregator);
        }
    }

    @Test
    void listNamesBothServices() {
        assertThat(grpcurl("list", server, "list"))
                .contains("exit137.v1.OomEvents", "exit137.v1.EventIngest", "grpc.health.v1.Health");
    }

    @Test
    void describeShowsTheCallsAndTheEvent() {
        assertThat(grpcurl("describe-service", server, "describe", "exit137.v1.OomEvents"))
                .anySatisfy(line -> assertThat(line).contains("rpc WatchEvents"))
                .anySatisfy(line -> assertThat(line).contains("rpc ListEvents"));
        assertThat(grpcurl("describe-event", server, "describe", "exit137.v1.OomKillEvent"))
                .anySatisfy(line -> assertThat(line).contains("event_id = 1"));
    }

    @Test
    void listEventsAnswersWithTheStoredEvent() {
        assertThat(grpcurl("list-events", "-d", "{\"page_size\": 10}", server, "exit137.v1.OomEvents/ListEvents"))
                .anySatisfy(line -> assertThat(line).contains("\"event_id\": \"one\""));
    }

    @Test
    void watchEventsStreamsTheStoredEventAndThenANewOne() throws Exception {
        Process watch = new ProcessBuilder(command(
                        "-d", "{\"from_time\": \"1970-01-01T00:00:00Z\"}", server, "exit137.v1.OomEvents/WatchEvents"))
                .redirectError(out.resolve("watch.err").toFile())
                .start();
        try (BufferedReader lines = watch.inputReader()) {
            assertThat(nextEventId(lines)).contains("\"one\"");
            publish(Integer.parseInt(server.split(":")[1]), event("two"));
            assertThat(nextEventId(lines)).contains("\"two\"");
        } finally {
            Bed.end(watch);
        }
    }

    @Test
    void byTlsACertificateOpensTheDoor() throws Exception {
        makeCertificates();
        Path log = out.resolve("tls-aggregator.log");
        Process secured = new ProcessBuilder(
                        Bed.exit137(),
                        "aggregator",
                        "--listen",
                        "127.0.0.1:0",
                        "--data-dir",
                        out.resolve("tls-data").toString(),
                        "--tls-cert",
                        file("aggregator.crt"),
                        "--tls-key",
                        file("aggregator.key"),
                        "--tls-client-ca",
                        file("ca.crt"))
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        try {
            String listens = Bed.await(
                    "an aggregator that listens",
                    LIMIT.multipliedBy(4),
                    () -> String.join("\n", Bed.lines(log)),
                    text -> text.contains("aggregator listens on ") || !secured.isAlive());
            String address = listens.replaceAll("(?s).*aggregator listens on ([^,]*),.*", "$1");
            String list = "exit137.v1.OomEvents/ListEvents";

            Bed.Finished known = tls("tls", "-cert", file("reader.crt"), "-key", file("reader.key"), address, list);
            assertThat(known.status()).as(known.errText()).isZero();
            Bed.Finished unknown = tls("tls-unknown", address, list);
            assertThat(unknown.status()).isNotZero();
            assertThat(unknown.errText())
                    .contains("Unauthenticated", "give a client certificate (--tls-cert, --tls-key)");
        } finally {
            Bed.end(secured);
        }
    }

    private static Bed.Finished tls(String name, String... arguments) {
        var command = new ArrayList<>(List.of(grpcurl, "-cacert", file("ca.crt"), "-max-time", "120"));
        command.addAll(List.of(arguments));
        return Bed.run(out, name, LIMIT.multipliedBy(5), new ProcessBuilder(command));
    }

    private static String file(String name) {
        return out.resolve(name).toString();
    }

    /** Makes the certificates with the commands of docs/security.md. */
    private static void makeCertificates() {
        if (Bed.find("openssl").isEmpty()) {
            Bed.skip("grpcurl by TLS", "no openssl on PATH to make certificates with");
        }
        String script = """
        set -eu
        key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
        openssl req -x509 $key -days 1 -subj '/CN=exit137 CA' -keyout ca.key -out ca.crt
        issue() {
          openssl req $key -subj "/CN=$1" -keyout $1.key -out $1.csr
          openssl x509 -req -in $1.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 1 -out $1.crt \
            -extfile <(echo "subjectAltName=$2")
        }
        issue aggregator IP:127.0.0.1
        issue reader DNS:reader.example
        """;
        Bed.Finished made =
                Bed.run(out, "openssl", LIMIT, new ProcessBuilder("bash", "-c", script).directory(out.toFile()));
        assertThat(made.status()).as(made.errText()).isZero();
    }

    private static String nextEventId(BufferedReader lines) {
        return lines.lines()
                .filter(line -> line.contains("\"event_id\""))
                .findFirst()
                .orElseThrow(() -> new AssertionError("the stream ended; see " + out.resolve("watch.err")));
    }

    private static String install() {
        Path installed = Bed.WORK.resolve("go/grpcurl");
        if (Files.isExecutable(installed)) {
            return installed.toString();
        }
        if (Bed.find("go").isEmpty()) {
            Bed.skip("grpcurl", "no go on PATH to install " + GRPCURL + " with");
        }
        var go = new ProcessBuilder("go", "install", GRPCURL);
        go.environment().put("GOBIN", installed.getParent().toString());
        Bed.Finished install = Bed.run(out, "go-install", Duration.ofMinutes(5), go);
        if (install.status() != 0) {
            Bed.skip(
                    "grpcurl",
                    "go cannot install " + GRPCURL + ": "
                            + install.errText().lines().toList().getLast());
        }
        return installed.toString();
    }

    /** Sends the event as an agent would and waits for its acknowledgement; the aggregator may still be starting. */
    private static void publish(int port, OomKillEvent event) throws InterruptedException, StatusException {
        ManagedChannel channel = ManagedChannelBuilder.forAddress("127.0.0.1", port)
                .usePlaintext()
                .build();
        try {
            BlockingClientCall<PublishEventsRequest, PublishEventsResponse> call = EventIngestGrpc.newBlockingV2Stub(
                            channel)
                    .withWaitForReady()
                    .withDeadlineAfter(LIMIT.toSeconds(), TimeUnit.SECONDS)
                    .publishEvents();
            call.write(PublishEventsRequest.newBuilder().setEvent(event).build());
            assertThat(call.read().getAcks(0).getEventId()).isEqualTo(event.getEventId());
            call.cancel("acknowledged", Status.CANCELLED.asException());
        } finally {
            channel.shutdownNow();
        }
    }

    private static OomKillEvent event(String id) {
        return OomKillEvent.newBuilder()
                .setEventId(id)
                .setRevision(1)
                .setTime(Timestamps.now())
                .setNode(Node.newBuilder().setName("node-a"))
                .setScope(OomKillEvent.Scope.MEMCG)
                .setOutcome(OomKillEvent.Outcome.KILLED)
                .build();
    }

    private static List<String> grpcurl(String name, String... arguments) {
        Bed.Finished finished = Bed.run(out, name, LIMIT, new ProcessBuilder(command(arguments)));
        assertThat(finished.status()).as(finished.errText()).isZero();
        return finished.outLines();
    }

    private static List<String> command(String... arguments) {
        var command = new ArrayList<String>();
        Stream.concat(
                        Stream.of(grpcurl, "-plaintext", "-max-time", Long.toString(LIMIT.toSeconds())),
                        Stream.of(arguments))
                .forEach(command::add);
        return command;
    }

    private static int freePort() throws IOException {
        try (var socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }
}
