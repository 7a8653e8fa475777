package dev.exit137.cli.manifests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.cli.Session;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.api.model.Probe;
import io.fabric8.kubernetes.api.model.VolumeMount;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** One of the two daemons in this process, with the arguments and the environment that its manifest gives it. */
final class DaemonPod implements AutoCloseable {
    static final String NODE = "worker-1";

    final Session session = new Session();
    private final Container container;
    private final Path volumes;
    private CompletableFuture<Integer> exitCode;

    /** @param volumes has, or gets, a directory for each volume of the pod, by its name */
    DaemonPod(PodTemplateSpec pod, Path volumes) throws IOException {
        container = pod.getSpec().getContainers().getFirst();
        this.volumes = volumes;
        for (VolumeMount mount : container.getVolumeMounts()) {
            Files.createDirectories(volumes.resolve(mount.getName()));
        }
        for (EnvVar variable : container.getEnv()) {
            boolean isNodeName = variable.getValueFrom() != null
                    && variable.getValueFrom().getFieldRef().getFieldPath().equals("spec.nodeName");
            session.environment.put(variable.getName(), isNodeName ? NODE : mounted(variable.getValue()));
        }
    }

    /** The volume's directory, for a path below one that is mounted; other values as they are. */
    private String mounted(String value) {
        return container.getVolumeMounts().stream()
                .filter(mount -> Path.of(value).startsWith(mount.getMountPath()))
                .max(Comparator.comparing(mount -> mount.getMountPath().length()))
                .map(mount -> volume(mount.getName())
                        + value.substring(mount.getMountPath().length()))
                .orElse(value);
    }

    /** What a variable's value is in the manifest. */
    Optional<String> value(String variable) {
        return container.getEnv().stream()
                .filter(each -> each.getName().equals(variable))
                .map(EnvVar::getValue)
                .findFirst();
    }

    /** The directory of a volume, for what the cluster puts in there. */
    Path volume(String name) {
        return volumes.resolve(name);
    }

    DaemonPod with(String variable, String value) {
        session.environment.put(variable, value);
        return this;
    }

    DaemonPod start() {
        assertThat(value("EXIT137_HTTP_LISTEN"))
                .contains("0.0.0.0:" + container.getPorts().getLast().getContainerPort());
        with("EXIT137_HTTP_LISTEN", "0.0.0.0:0");
        List<String> args = container.getArgs().stream().map(this::mounted).toList();
        exitCode = session.start(args.toArray(String[]::new));
        return this;
    }

    /** Waits for it to say something. */
    String awaitLine(String words) throws InterruptedException {
        String line;
        do {
            line = session.nextErrorLine();
            if (exitCode.isDone()) {
                throw new AssertionError("exit code " + exitCode.join() + ": " + line + session.err());
            }
        } while (!line.contains(words));
        return line;
    }

    /** Asks, as the kubelet does, what each probe asks. */
    void assertThatProbesSucceed() throws Exception {
        String line = awaitLine("has /livez");
        int port = Integer.parseInt(line.replaceFirst(".*http://[^ ]*:(\\d+) has /livez.*", "$1"));
        for (Probe probe :
                List.of(container.getStartupProbe(), container.getLivenessProbe(), container.getReadinessProbe())) {
            URI uri = URI.create("http://127.0.0.1:" + port + probe.getHttpGet().getPath());
            try (HttpClient client = HttpClient.newHttpClient()) {
                HttpResponse<String> answer =
                        client.send(HttpRequest.newBuilder(uri).build(), BodyHandlers.ofString());
                assertThat(answer.statusCode()).as(uri + " " + answer.body()).isEqualTo(200);
            }
        }
    }

    @Override
    public void close() {
        session.stop.request();
        if (exitCode != null) {
            exitCode.join();
        }
    }
}
