package dev.exit137.cli.manifests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.cli.Main;
import dev.exit137.cli.Session;
import dev.exit137.cli.options.EnvironmentDefaults;
import dev.exit137.cli.terminal.Terminal;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.VolumeMount;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine.Model.CommandSpec;

/** What the manifests say to the program: it knows every flag, finds every path, and starts. */
class ProgramTest {
    private static final String JVM_FLAGS = "JDK_JAVA_OPTIONS";
    private static final long PATIENCE_NANOS = 120_000_000_000L;
    private static final long PROBE_NANOS = 20_000_000;

    @TempDir
    private Path directory;

    static List<String> names() {
        return Kustomize.names();
    }

    @ParameterizedTest
    @MethodSource("names")
    void theProgramKnowsEveryFlagAndEveryVariable(String name) {
        Manifests manifests = Manifests.of(name);
        assertThat(manifests.containers())
                .extracting(container -> container.getArgs().getFirst())
                .containsExactly("agent", "aggregator");
        for (Container container : manifests.containers()) {
            assertThat(container.getCommand()).isEmpty();
            CommandSpec command = Main.commandLine(Terminal.ofProcess())
                    .getSubcommands()
                    .get(container.getArgs().getFirst())
                    .getCommandSpec();
            assertThat(container.getArgs())
                    .filteredOn(arg -> arg.startsWith("--"))
                    .allSatisfy(arg -> assertThat(command.optionsMap()).containsKey(arg.replaceFirst("=.*", "")));
            assertThat(container.getEnv())
                    .extracting(EnvVar::getName)
                    .doesNotHaveDuplicates()
                    .filteredOn(variable -> !variable.equals(JVM_FLAGS))
                    .isSubsetOf(command.options().stream()
                            .flatMap(option -> EnvironmentDefaults.twin(option).stream())
                            .toList());
        }
    }

    @ParameterizedTest
    @MethodSource("names")
    void eachDaemonHasTheFlagsThatBinMakeRuntimeWroteForIt(String name) {
        for (Container container : Manifests.of(name).containers()) {
            assertThat(container.getEnv())
                    .filteredOn(variable -> variable.getName().equals(JVM_FLAGS))
                    .extracting(EnvVar::getValue)
                    .containsExactly("@/opt/exit137/" + container.getArgs().getFirst() + ".args");
        }
    }

    @ParameterizedTest
    @MethodSource("names")
    void everyPathIsOneThatIsMounted(String name) {
        for (Container container : Manifests.of(name).containers()) {
            assertThat(container.getEnv())
                    .extracting(EnvVar::getValue)
                    .filteredOn(value -> value != null && value.startsWith("/"))
                    .isNotEmpty()
                    .allSatisfy(path -> assertThat(container.getVolumeMounts())
                            .extracting(VolumeMount::getMountPath)
                            .anyMatch(mount -> Path.of(path).startsWith(mount)));
        }
    }

    @ParameterizedTest
    @MethodSource("names")
    void agentsLookForTheAggregatorWhereItsServiceIs(String name) {
        Manifests manifests = Manifests.of(name);
        Service service = manifests.all(Service.class).findFirst().orElseThrow();
        int port = service.getSpec().getPorts().stream()
                .filter(each -> each.getName().equals("grpc"))
                .findFirst()
                .orElseThrow()
                .getPort();
        assertThat(manifests.containers().getFirst().getEnv())
                .filteredOn(variable -> variable.getName().equals("EXIT137_AGGREGATOR"))
                .extracting(EnvVar::getValue)
                .containsExactly(service.getMetadata().getName() + ":" + port);
    }

    @ParameterizedTest
    @MethodSource("names")
    void bothDaemonsStartAsTheManifestsSayAndFindEachOther(String name) throws Exception {
        Manifests manifests = Manifests.of(name);
        try (FakeCluster cluster = new FakeCluster();
                DaemonPod aggregator = aggregator(manifests, cluster)) {
            String address = addressOf(aggregator);
            try (DaemonPod agent = agent(manifests, cluster, address)) {
                agent.awaitLine("agent watches node " + DaemonPod.NODE);
                // The host of the default of --server.
                assertThat(nodes(address.replace("0.0.0.0", "127.0.0.1"), reader(name, cluster)))
                        .contains("\"name\":\"" + DaemonPod.NODE + "\"");
                aggregator.assertThatProbesSucceed();
                agent.assertThatProbesSucceed();
            }
        }
    }

    private DaemonPod aggregator(Manifests manifests, FakeCluster cluster) throws Exception {
        PodTemplateSpec template = manifests.aggregator().getSpec().getTemplate();
        var pod = new DaemonPod(template, directory.resolve("aggregator"));
        cluster.mount(template, pod);
        assertThat(pod.value("EXIT137_LISTEN")).contains("0.0.0.0:9137");
        if (pod.value("EXIT137_TOKEN_JWKS").isPresent()) {
            assertThat(pod.value("EXIT137_TOKEN_JWKS")).contains("https://kubernetes.default.svc/openid/v1/jwks");
            pod.with("EXIT137_TOKEN_JWKS", cluster.keysUrl());
        }
        return pod.with("EXIT137_LISTEN", "0.0.0.0:0").start();
    }

    /** 0.0.0.0, as in the manifest: to the program that is not the loopback, where much is allowed. */
    private static String addressOf(DaemonPod aggregator) throws InterruptedException {
        String line = aggregator.awaitLine("aggregator listens on ");
        return line.substring(line.indexOf("0.0.0.0:"), line.indexOf(','));
    }

    private DaemonPod agent(Manifests manifests, FakeCluster cluster, String address) throws Exception {
        PodTemplateSpec template = manifests.agent().getSpec().getTemplate();
        var pod = new DaemonPod(template, directory.resolve("agent"));
        cluster.mount(template, pod);
        Files.writeString(pod.volume("cgroup").resolve("cgroup.controllers"), "memory\n");
        if (pod.value("EXIT137_TLS_CA").isPresent()) {
            // The name that it would connect to.
            pod.with(
                    "EXIT137_TLS_SERVER_NAME",
                    pod.value("EXIT137_AGGREGATOR").orElseThrow().replaceFirst(":.*", ""));
        }
        // The log of this machine, and its runtimes, are not of the test's node.
        return pod.with("EXIT137_KMSG_PATH", directory.resolve("no-kmsg").toString())
                .with("EXIT137_CRI_ENDPOINT", directory.resolve("no-cri").toString())
                .with("EXIT137_DOCKER_ENDPOINT", directory.resolve("no-docker").toString())
                .with("EXIT137_AGGREGATOR", address)
                .start();
    }

    /** The flags of whom the README lets read. */
    private List<String> reader(String name, FakeCluster cluster) throws Exception {
        if (!name.endsWith("mtls") && !name.endsWith("token")) {
            return List.of("--plaintext");
        }
        List<String> flags = new ArrayList<>(List.of("--tls-ca", file(cluster, "ca.crt")));
        if (name.endsWith("mtls")) {
            flags.addAll(List.of("--tls-cert", file(cluster, "tls.crt"), "--tls-key", file(cluster, "tls.key")));
        } else {
            Path token = Files.writeString(directory.resolve("token"), cluster.token("exit137-reader", "exit137"));
            flags.addAll(List.of("--token-file", token.toString()));
        }
        return flags;
    }

    private String file(FakeCluster cluster, String key) throws IOException {
        byte[] content =
                Base64.getDecoder().decode(cluster.secret("exit137-reader-tls").get(key));
        return Files.write(directory.resolve(key), content).toString();
    }

    /** Asks until the agent's first status has come. */
    private static String nodes(String address, List<String> flags) {
        Session client = new Session();
        List<String> command = new ArrayList<>(List.of("nodes", "--server", address, "-o", "json"));
        command.addAll(flags);
        long begin = System.nanoTime();
        client.run(command.toArray(String[]::new));
        while (client.out().isEmpty() && System.nanoTime() - begin < PATIENCE_NANOS) {
            LockSupport.parkNanos(PROBE_NANOS);
            client.run(command.toArray(String[]::new));
        }
        assertThat(client.out()).as("nodes; stderr: %s", client.err()).isNotEmpty();
        return client.out().getFirst();
    }
}
