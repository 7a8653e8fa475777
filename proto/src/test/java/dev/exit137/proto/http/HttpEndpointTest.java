package dev.exit137.proto.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.exit137.proto.guard.Guard;
import dev.exit137.proto.metrics.Samples;
import io.prometheus.metrics.model.registry.Collector;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A probe is answered whatever others do. Every socket here has a limit, so that no test hangs. */
class HttpEndpointTest {
  private static final int LIMIT_MILLIS = 120_000;
  private static final int LARGE_BYTES = 16 << 20;

  private final PrometheusRegistry registry = new PrometheusRegistry();
  private final List<Socket> clients = new ArrayList<>();
  private List<Check> alive = List.of(Check.ok("loop"));
  private HttpEndpoint endpoint;

  @BeforeEach
  void serve() throws IOException {
    // Longer than a client of the test waits: whoever is dropped is dropped for another reason.
    serve(Duration.ofHours(1));
  }

  private void serve(Duration patience) throws IOException {
    if (endpoint != null) {
      endpoint.close();
    }
    endpoint = HttpEndpoint.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), patience);
    endpoint.serve(new Pages(new Guard(), new Observed() {
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
    }));
  }

  @AfterEach
  void close() throws IOException {
    for (Socket client : clients) {
      client.close();
    }
    endpoint.close();
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
      PRI * HTTP/2.0                | 400
      GET /livez                    | 400
      nonsense                      | 400
      """)
  void whatIsNoGetOfAPageIsRefused(String requestLine, int status) throws IOException {
    assertThat(ask(requestLine + "\r\nHost: node\r\n\r\n")).startsWith("HTTP/1.1 " + status + " ");
  }

  @Test
  void headGivesTheHeadAlone() throws IOException {
    assertThat(ask("HEAD /livez HTTP/1.1\r\n\r\n")).contains("Content-Length: 8\r\n").endsWith("\r\n\r\n");
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
  void aPageWithADefectIsAnErrorAndTheOthersGoOn() throws IOException {
    assertThat(get("/readyz")).startsWith("HTTP/1.1 500 ");
    assertThat(get("/livez")).startsWith("HTTP/1.1 200 ");
  }

  @Test
  void aHeaderWithoutEndIsCutOff() throws IOException {
    Socket client = connect();
    client.getOutputStream().write(("GET /livez HTTP/1.1\r\nX: " + "x".repeat(100_000)).getBytes(UTF_8));
    assertThat(answer(client)).startsWith("HTTP/1.1 431 ");
    assertThat(get("/livez")).startsWith("HTTP/1.1 200 ");
  }

  @Test
  void hundredsWhoSayNothingKeepNoProbeOut() throws IOException {
    for (int i = 0; i < 300; i++) {
      connect();
    }
    assertThat(get("/livez")).startsWith("HTTP/1.1 200 ");
    // The first have made room for the last.
    assertThat(clients.getFirst().getInputStream().read()).isEqualTo(-1);
  }

  @Test
  void whoeverDoesNotReadAnAnswerHoldsUpNobody() throws IOException {
    registry.register((Collector) () -> Samples.gauge("large", "x".repeat(LARGE_BYTES), 1));
    for (int i = 0; i < 3; i++) {
      connect().getOutputStream().write("GET /metrics HTTP/1.1\r\n\r\n".getBytes(UTF_8));
    }
    assertThat(get("/livez")).startsWith("HTTP/1.1 200 ");
    // And whoever reads, gets all of it.
    assertThat(answer(clients.getFirst())).hasSizeGreaterThan(LARGE_BYTES);
  }

  @Test
  void whoeverStallsIsDroppedInTheEnd() throws IOException {
    serve(Duration.ofMillis(50));
    Socket client = connect();
    client.getOutputStream().write("GET /li".getBytes(UTF_8));
    assertThat(client.getInputStream().read()).isEqualTo(-1);
    assertThat(get("/livez")).startsWith("HTTP/1.1 200 ");
  }

  @Test
  void aPortInUseIsAnErrorAndOneThatIsClosedIsFree() throws IOException {
    InetSocketAddress address = endpoint.address();
    assertThatThrownBy(() -> HttpEndpoint.bind(address)).isInstanceOf(BindException.class);
    get("/livez");
    endpoint.close();
    endpoint = HttpEndpoint.bind(address);
  }

  private Socket connect() throws IOException {
    Socket client = new Socket();
    client.connect(endpoint.address(), LIMIT_MILLIS);
    client.setSoTimeout(LIMIT_MILLIS);
    clients.add(client);
    return client;
  }

  private String get(String path) throws IOException {
    return ask("GET " + path + " HTTP/1.1\r\nHost: node\r\n\r\n");
  }

  private String ask(String request) throws IOException {
    Socket client = connect();
    client.getOutputStream().write(request.getBytes(UTF_8));
    return answer(client);
  }

  private static String answer(Socket client) throws IOException {
    return new String(client.getInputStream().readAllBytes(), UTF_8);
  }
}
