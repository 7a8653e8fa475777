package dev.exit137.daemon.http;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.exit137.daemon.guard.Guard;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadFactory;

/**
 * Answers GET and HEAD, one request a connection. The JDK's server waits in its selector for a client that has sent
 * nothing, and on a virtual thread for one that sends or reads slowly; it drops both in the end. The metrics are made on
 * a platform thread, exit137-http: what waits for the disk there would take a processor from all virtual threads, those
 * of the probes included.
 */
public final class HttpEndpoint implements AutoCloseable {
  /** The JDK's server reads them once, when it is loaded; whoever starts the process may set others. */
  private static final Map<String, Integer> LIMITS =
      Map.of(
          // Each takes a file descriptor and 1 KiB; a further one is closed at once.
          "jdk.httpserver.maxConnections", 1024,
          "sun.net.httpserver.maxReqHeaderSize", 8 << 10,
          // Seconds, until the request is there, and from then until the answer is sent.
          "sun.net.httpserver.maxReqTime", 10,
          "sun.net.httpserver.maxRspTime", 10,
          // Milliseconds, between two looks for those that are late; each wakes a thread.
          "sun.net.httpserver.timerMillis", 5000);
  private static final int BACKLOG = 128;
  /** Each takes 30 KiB. */
  private static final int MAX_EXCHANGES = 64;
  /** Those of a large node take a megabyte, for each client that has not read them. */
  private static final int MAX_METRICS = 4;
  /** The server's own buffer is twice as large as what is written at once. */
  private static final int WRITE_BYTES = 8 << 10;
  private static final String PLACE = "http";

  static {
    LIMITS.forEach((property, limit) -> {
      if (System.getProperty(property) == null) {
        System.setProperty(property, limit.toString());
      }
    });
  }

  private final HttpServer server;
  private final ExecutorService metricsThread =
      Executors.newSingleThreadExecutor(Thread.ofPlatform().name("exit137-http").daemon().factory());
  private final Semaphore metrics = new Semaphore(MAX_METRICS);
  private boolean started;

  private HttpEndpoint(HttpServer server) {
    this.server = server;
  }

  /**
   * Listens. Whoever connects waits until pages are served.
   *
   * @throws IOException it cannot; the message says why
   */
  public static HttpEndpoint bind(InetSocketAddress address) throws IOException {
    return new HttpEndpoint(HttpServer.create(address, BACKLOG));
  }

  /** Where it listens, with the port that it got where any free one was asked for. */
  public InetSocketAddress address() {
    return server.getAddress();
  }

  /**
   * Begins to answer; once.
   *
   * @param guard of this process
   */
  public void serve(Pages pages, Guard guard) {
    server.setExecutor(new Exchanges(guard));
    server.createContext("/", exchange -> {
      try (exchange) {
        answer(exchange, pages, guard);
      }
    });
    start();
  }

  private void start() {
    started = true;
    server.start();
  }

  private void answer(HttpExchange exchange, Pages pages, Guard guard) throws IOException {
    String method = exchange.getRequestMethod();
    String path = exchange.getRequestURI().getPath();
    if (!method.equals("GET") && !method.equals("HEAD")) {
      exchange.getResponseHeaders().set("Allow", "GET, HEAD");
      send(exchange, Answer.text(405, "only GET and HEAD\n"));
    } else if (!path.equals(Pages.METRICS)) {
      send(exchange, page(path, pages, guard));
    } else if (metrics.tryAcquire()) {
      try {
        send(exchange, CompletableFuture.supplyAsync(() -> page(path, pages, guard), metricsThread).join());
      } finally {
        metrics.release();
      }
    } else {
      send(exchange, Answer.text(503, MAX_METRICS + " other clients read it, try again\n"));
    }
  }

  private static Answer page(String path, Pages pages, Guard guard) {
    return guard.get(PLACE, () -> pages.at(path), Answer.text(500, "a defect of exit137, see its log\n"));
  }

  private static void send(HttpExchange exchange, Answer answer) throws IOException {
    byte[] body = answer.body();
    Headers headers = exchange.getResponseHeaders();
    headers.set("Content-Type", answer.contentType());
    headers.set("Connection", "close");
    if (exchange.getRequestMethod().equals("HEAD")) {
      headers.set("Content-Length", Integer.toString(body.length));
      exchange.sendResponseHeaders(answer.status(), -1);
      return;
    }
    exchange.sendResponseHeaders(answer.status(), body.length == 0 ? -1 : body.length);
    OutputStream out = exchange.getResponseBody();
    for (int sent = 0; sent < body.length; sent += WRITE_BYTES) {
      out.write(body, sent, Math.min(WRITE_BYTES, body.length - sent));
    }
  }

  /** Drops every connection and ends. */
  @Override
  public void close() {
    if (!started) {
      // The JDK's server gives its port back on the thread that this begins.
      start();
    }
    server.stop(0);
    metricsThread.shutdown();
  }

  /** Each on a virtual thread. Where there are too many, the oldest is that of a slow client, which is dropped. */
  private static final class Exchanges implements Executor {
    private final ThreadFactory threads = Thread.ofVirtual().name("exit137-http").factory();
    private final LinkedHashSet<Thread> running = new LinkedHashSet<>();
    private final Guard guard;

    Exchanges(Guard guard) {
      this.guard = guard;
    }

    @Override
    public synchronized void execute(Runnable exchange) {
      if (running.size() == MAX_EXCHANGES) {
        running.removeFirst().interrupt();
      }
      Thread thread = threads.newThread(() -> {
        guard.run(PLACE, exchange);
        ended();
      });
      running.add(thread);
      thread.start();
    }

    private synchronized void ended() {
      running.remove(Thread.currentThread());
    }
  }
}
