package dev.exit137.daemon.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.metrics.Samples;
import io.prometheus.metrics.model.registry.Collector;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A probe is answered whatever others do. Every socket here has a limit, so that no test hangs. */
class HttpEndpointTest {
    private static final int LIMIT_MILLIS = 120_000;
    private static final int HUNDREDS = 400;
    /** More than the kernel takes for a client that does not read. */
    private static final int LARGE_BYTES = 5 << 20;

    static {
        // A node of one processor, and a server that looks often for clients that are late; read once.
        System.setProperty("jdk.virtualThreadScheduler.parallelism", "1");
        System.setProperty("sun.net.httpserver.clockTick", "500");
        System.setProperty("sun.net.httpserver.timerMillis", "500");
    }

    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final List<Socket> clients = new ArrayList<>();
    private final Guard guard = new Guard();
    private List<Check> alive = List.of(Check.ok("loop"));
    private HttpEndpoint endpoint;

    @BeforeEach
    void serve() throws IOException {
        endpoint = HttpEndpoint.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        endpoint.serve(
                new Pages(guard, new Observed() {
                    @Override
                    public List<Check> alive() {
                        return alive;
                    }

                    @Override
                    public List<Check> ready() {
                        throw new IllegalStateException("a defect");
                    }

                    @Override
                    public MetricSnapshots metrics() {
                        return registry.scrape();
                    }
                }),
                guard);
    }

    @AfterEach
    void close() throws IOException {
        for (Socket client : clients) {
            client.close();
        }
        endpoint.close();
    }

    @Test
    void everyAddressOfTheMachineIsCalledAsItWasAskedFor() throws IOException {
        HttpEndpoint everywhere = HttpEndpoint.bind(new InetSocketAddress("0.0.0.0", 0));
        try {
            assertThat(everywhere.address().getHostString()).isEqualTo("0.0.0.0");
            assertThat(everywhere.address().getPort()).isPositive();
        } finally {
            everywhere.close();
        }
    }

    @Test
    void aProbeSucceedsWithALineForEachCheckAndFailsWithThemWhenOneFails() throws IOException {
        alive = List.of(Check.ok("loop"), Check.note("aggregator", "away since noon"));
        assertThat(get("/livez"))
                .startsWith("HTTP/1.1 200 OK\r\n")
                .endsWith("\r\n\r\nloop ok\naggregator away since noon\n");

        alive = List.of(Check.ok("worker"), Check.failed("loop", "has ended"));
        assertThat(get("/livez")).startsWith("HTTP/1.1 503 ").endsWith("\r\n\r\nworker ok\nloop has ended\n");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
      GET /livez HTTP/1.1           | 200
      GET /livez?verbose=1 HTTP/1.0 | 200
      GET /metrics HTTP/1.1         | 200
      GET / HTTP/1.1                | 404
      GET /livez/../metrics HTTP/1.1 | 404
      POST /livez HTTP/1.1          | 405
      PRI * HTTP/2.0                | 404
      GET /livez                    | 400
      nonsense                      | 400
      """)
    void whatIsNoGetOfAPageIsRefused(String requestLine, int status) throws IOException {
        assertThat(ask(requestLine + "\r\nHost: node\r\n\r\n")).startsWith("HTTP/1.1 " + status + " ");
    }

    @Test
    void headGivesTheHeadAlone() throws IOException {
        assertThat(ask("HEAD /livez HTTP/1.1\r\n\r\n").toLowerCase(Locale.ROOT))
                .contains("content-length: 8\r\n")
                .endsWith("\r\n\r\n");
    }

    @Test
    void aRefusedMethodIsGivenTheOnesThatThereAre() throws IOException {
        assertThat(ask("DELETE /livez HTTP/1.1\r\n\r\n")).contains("\r\nAllow: GET, HEAD\r\n");
    }

    @Test
    void aRequestThatComesByteByByteIsAnswered() throws IOException {
        Socket client = connect();
        for (byte each : "GET /livez HTTP/1.1\r\nHost: node\r\n\r\n".getBytes(UTF_8)) {
            client.getOutputStream().write(each);
            client.getOutputStream().flush();
        }
        assertThat(answer(client)).startsWith("HTTP/1.1 200 ");
    }

    @Test
    void aPageWithADefectIsCountedAndAnErrorAndTheOthersGoOn() throws IOException {
        assertThat(get("/readyz")).startsWith("HTTP/1.1 500 ");
        assertThat(get("/livez")).startsWith("HTTP/1.1 200 ");
        assertThat(guard.counts()).containsExactlyEntriesOf(Map.of("http", 1L));
    }

    @Test
    void aHeaderWithoutEndIsCutOff() throws IOException {
        assertThat(isDropped(send("GET /livez HTTP/1.1\r\nX: " + "x".repeat(100_000))))
                .isTrue();
        assertThat(get("/livez")).startsWith("HTTP/1.1 200 ");
    }

    @Test
    void hundredsWhoSayNothingOrHalfALineKeepNoProbeOut() throws IOException {
        stallHundreds();
        assertThat(get("/livez")).startsWith("HTTP/1.1 200 ");
    }

    @Test
    void ofHundredsWithHalfALineTheOldestMakeRoomForTheNewest() throws IOException {
        stallHundreds();
        assertThat(isDropped(clients.getFirst())).isTrue();
        // Had the first one been dropped for its time, so would be the last one by now.
        clients.getLast().getOutputStream().write("vez HTTP/1.1\r\n\r\n".getBytes(UTF_8));
        assertThat(answer(clients.getLast())).startsWith("HTTP/1.1 200 ");
    }

    @Test
    void whileTheMetricsWaitForTheDiskAProbeIsAnswered() throws IOException {
        CountDownLatch disk = new CountDownLatch(1);
        registry.register((Collector) () -> {
            // As native code does, this keeps its processor.
            while (disk.getCount() > 0) {
                Thread.onSpinWait();
            }
            return Samples.gauge("large", "of the disk", 1);
        });
        Socket scrape = send("GET /metrics HTTP/1.1\r\n\r\n");
        try {
            assertThat(get("/livez")).startsWith("HTTP/1.1 200 ");
        } finally {
            disk.countDown();
        }
        assertThat(answer(scrape)).contains("of the disk");
    }

    @Test
    void whoeverDoesNotReadAnAnswerHoldsUpNobody() throws IOException {
        registry.register((Collector) () -> Samples.gauge("large", "x".repeat(LARGE_BYTES), 1));
        stallReaders(3);
        assertThat(get("/livez")).startsWith("HTTP/1.1 200 ");
        // And whoever reads, gets all of it.
        assertThat(get("/metrics")).hasSizeGreaterThan(LARGE_BYTES);
    }

    @Test
    void whoeverStallsIsDroppedInTheEnd() throws IOException {
        stallHundreds();
        registry.register((Collector) () -> Samples.gauge("large", "x".repeat(LARGE_BYTES), 1));
        String fifth;
        int readers = 0;
        do {
            stallReaders(4);
            readers += 4;
            fifth = get("/metrics");
            // On a slow machine the first of the four are dropped before the fifth comes.
        } while (fifth.startsWith("HTTP/1.1 200 ") && readers < 40);
        assertThat(fifth).startsWith("HTTP/1.1 503 ").endsWith("4 other clients read it, try again\n");
        List<Socket> hundreds = clients.subList(0, HUNDREDS);
        assertThat(hundreds).allMatch(HttpEndpointTest::isDropped);

        String metrics = get("/metrics");
        for (int waits = 0; waits < 10 && !metrics.startsWith("HTTP/1.1 200 "); waits++) {
            assertThat(isDropped(send("GET /li"))).isTrue();
            metrics = get("/metrics");
        }
        assertThat(metrics).hasSizeGreaterThan(LARGE_BYTES);
    }

    @Test
    void aPortInUseIsAnErrorAndOneThatIsClosedIsFree() throws IOException {
        InetSocketAddress address = endpoint.address();
        assertThatThrownBy(() -> HttpEndpoint.bind(address)).isInstanceOf(BindException.class);
        get("/livez");
        endpoint.close();
        endpoint = HttpEndpoint.bind(address);
    }

    @Test
    void aPortThatWasNeverServedIsFreeOnceItIsClosed() throws IOException {
        HttpEndpoint unserved = HttpEndpoint.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        InetSocketAddress address = unserved.address();
        unserved.close();
        HttpEndpoint.bind(address).close();
    }

    /** Every other one says nothing, the others send half a line. */
    private void stallHundreds() throws IOException {
        for (int i = 0; i < HUNDREDS; i += 2) {
            send("GET /li");
            connect();
        }
        send("GET /li");
    }

    /** Their answers have begun. */
    private void stallReaders(int count) throws IOException {
        for (int i = 0; i < count; i++) {
            assertThat(send("GET /metrics HTTP/1.1\r\n\r\n").getInputStream().read())
                    .isEqualTo('H');
        }
    }

    private Socket connect() throws IOException {
        Socket client = new Socket();
        client.setReceiveBufferSize(4096);
        client.connect(endpoint.address(), LIMIT_MILLIS);
        client.setSoTimeout(LIMIT_MILLIS);
        clients.add(client);
        return client;
    }

    private Socket send(String text) throws IOException {
        Socket client = connect();
        client.getOutputStream().write(text.getBytes(UTF_8));
        return client;
    }

    private String get(String path) throws IOException {
        return ask("GET " + path + " HTTP/1.1\r\nHost: node\r\n\r\n");
    }

    private String ask(String request) throws IOException {
        return answer(send(request));
    }

    private static String answer(Socket client) throws IOException {
        return new String(client.getInputStream().readAllBytes(), UTF_8);
    }

    private static boolean isDropped(Socket client) {
        try {
            return client.getInputStream().read() < 0;
        } catch (SocketException reset) {
            return true;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
