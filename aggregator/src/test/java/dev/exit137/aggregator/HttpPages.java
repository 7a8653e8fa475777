package dev.exit137.aggregator;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.http.HttpEndpoint;
import dev.exit137.daemon.http.Pages;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;

/** The HTTP side of an aggregator, and a client of it that does not wait for ever. */
final class HttpPages implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private final HttpClient client = HttpClient.newHttpClient();
    private final HttpEndpoint endpoint;

    HttpPages(Guard guard, Aggregator aggregator) throws IOException {
        endpoint = HttpEndpoint.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        endpoint.serve(new Pages(guard, aggregator), guard);
    }

    /** The status and, in the lines after it, the body of a page. */
    String get(String path) throws IOException, InterruptedException {
        URI uri = URI.create("http://127.0.0.1:" + endpoint.address().getPort() + path);
        HttpResponse<String> answer =
                client.send(HttpRequest.newBuilder(uri).timeout(LIMIT).build(), BodyHandlers.ofString());
        return answer.statusCode() + "\n" + answer.body();
    }

    @Override
    public void close() {
        client.shutdownNow();
        endpoint.close();
    }
}
