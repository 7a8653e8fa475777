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
 * Answers GET and HEAD, one request per connection. The JDK's server waits in its selector for a client that has sent
 * nothing, and on a virtual thread for a client that sends or reads slowly; it closes both connections after a time
 * limit. The metrics are collected on a platform thread, exit137-http: they may wait for the disk, which would hold a
 * carrier thread of the virtual threads, and so of the probes.
 */
public final class HttpEndpoint implements AutoCloseable {
    /** The JDK's server reads these properties once, when its class is loaded; the command line may override them. */
    private static final Map<String, Integer> LIMITS = Map.of(
            // Each connection takes a file descriptor and 1 KiB; one above the limit is closed at once.
            "jdk.httpserver.maxConnections", 1024,
            "sun.net.httpserver.maxReqHeaderSize", 8 << 10,
            // Seconds: to receive the request, and then to send the response.
            "sun.net.httpserver.maxReqTime", 10,
            "sun.net.httpserver.maxRspTime", 10,
            // Milliseconds between two checks for expired connections; each check wakes a thread.
            "sun.net.httpserver.timerMillis", 5000);

    private static final int BACKLOG = 128;
    /** Each takes 30 KiB. */
    private static final int MAX_EXCHANGES = 64;
    /** The metrics of a large node take a megabyte, for each client that has not read them. */
    private static final int MAX_METRICS = 4;
    /** The server's own buffer is twice as large as a single write. */
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
    private final InetSocketAddress requested;
    private final ExecutorService metricsThread = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().name("exit137-http").daemon().factory());
    private final Semaphore metrics = new Semaphore(MAX_METRICS);
    private boolean started;

    private HttpEndpoint(HttpServer server, InetSocketAddress requested) {
        this.server = server;
        this.requested = requested;
    }

    /**
     * Binds the address. Connections wait in the backlog until {@link #serve} is called.
     *
     * @throws IOException the address cannot be bound; the message says why
     */
    public static HttpEndpoint bind(InetSocketAddress address) throws IOException {
        return new HttpEndpoint(HttpServer.create(address, BACKLOG), address);
    }

    /** Returns the bound address; its port is the actual one if port 0 was requested. */
    public InetSocketAddress address() {
        // The server's own is that of a dual-stack socket: [::] for 0.0.0.0.
        return new InetSocketAddress(requested.getAddress(), server.getAddress().getPort());
    }

    /**
     * Starts to answer; called once.
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
                send(
                        exchange,
                        CompletableFuture.supplyAsync(() -> page(path, pages, guard), metricsThread)
                                .join());
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

    /** Closes every connection and stops. */
    @Override
    public void close() {
        if (!started) {
            // The JDK's server releases its port on the thread that start() creates.
            start();
        }
        server.stop(0);
        metricsThread.shutdown();
    }

    /**
     * Runs each exchange on a virtual thread. Above the limit the oldest exchange, which has a slow client, is
     * interrupted.
     */
    private static final class Exchanges implements Executor {
        private final ThreadFactory threads =
                Thread.ofVirtual().name("exit137-http").factory();
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
