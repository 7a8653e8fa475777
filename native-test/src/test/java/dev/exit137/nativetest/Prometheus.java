package dev.exit137.nativetest;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A Prometheus with the rules of the monitoring overlay, which scrapes every second. */
final class Prometheus implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofMinutes(2);

    /** One value in a query's answer. */
    record Sample(Map<String, String> labels, double value) {}

    /** An alert that is pending or firing. */
    record Alert(String name, String state, Map<String, String> labels, Map<String, String> annotations) {}

    private final HttpClient client =
            HttpClient.newBuilder().connectTimeout(LIMIT).build();
    private final String address;
    private final Process process;

    /**
     * Starts Prometheus.
     *
     * @param directory for its files
     * @param targets addresses by their job, each of node {@code bed}
     */
    Prometheus(Path directory, String program, Map<String, String> targets) throws IOException {
        address = "127.0.0.1:" + LiveAgent.freePort();
        AlertRules.write(Files.createDirectories(directory));
        StringBuilder configuration = new StringBuilder("""
        global: {scrape_interval: 1s, evaluation_interval: 1s}
        rule_files: [rules.yaml]
        scrape_configs:
        """);
        targets.forEach((job, target) -> configuration.append("""
          - job_name: %s
            honor_labels: true
            static_configs: [{targets: ["%s"], labels: {node: bed}}]
        """.formatted(job, target)));
        Path file = Files.writeString(directory.resolve("prometheus.yaml"), configuration);
        process = new ProcessBuilder(
                        "timeout",
                        "-k",
                        "5",
                        "1800",
                        program,
                        "--config.file=" + file,
                        "--web.listen-address=" + address,
                        "--storage.tsdb.path=" + directory.resolve("data"))
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("prometheus.log").toFile())
                .start();
        Bed.await("Prometheus", LIMIT, this::isReady, ready -> ready);
    }

    private boolean isReady() {
        try {
            return get("/-/ready").statusCode() == 200;
        } catch (UncheckedIOException e) {
            if (!process.isAlive()) {
                throw new AssertionError("Prometheus has ended; see its log", e);
            }
            return false;
        }
    }

    /** Returns the present value of an expression; empty if it has none. */
    List<Sample> query(String expression) {
        List<Sample> samples = new ArrayList<>();
        JsonObject data = data("/api/v1/query?query=" + URLEncoder.encode(expression, UTF_8));
        for (JsonElement result : data.getAsJsonArray("result")) {
            String value =
                    result.getAsJsonObject().getAsJsonArray("value").get(1).getAsString();
            samples.add(new Sample(strings(result, "metric"), Double.parseDouble(value)));
        }
        return samples;
    }

    /** Returns the alerts that fire now. */
    List<Alert> firing() {
        List<Alert> alerts = new ArrayList<>();
        for (JsonElement alert : data("/api/v1/alerts").getAsJsonArray("alerts")) {
            Map<String, String> labels = strings(alert, "labels");
            String state = alert.getAsJsonObject().get("state").getAsString();
            alerts.add(new Alert(labels.get("alertname"), state, labels, strings(alert, "annotations")));
        }
        return alerts.stream().filter(alert -> alert.state().equals("firing")).toList();
    }

    private static Map<String, String> strings(JsonElement object, String name) {
        Map<String, String> strings = new HashMap<>();
        object.getAsJsonObject()
                .getAsJsonObject(name)
                .asMap()
                .forEach((key, value) -> strings.put(key, value.getAsString()));
        return strings;
    }

    private JsonObject data(String path) {
        HttpResponse<String> response = get(path);
        JsonObject answer = JsonParser.parseString(response.body()).getAsJsonObject();
        if (response.statusCode() != 200) {
            throw new AssertionError(path + ": " + answer);
        }
        return answer.getAsJsonObject("data");
    }

    private HttpResponse<String> get(String path) {
        try {
            HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + address + path))
                    .timeout(LIMIT)
                    .build();
            return client.send(request, HttpResponse.BodyHandlers.ofString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() throws InterruptedException {
        client.close();
        Bed.end(process);
    }
}
