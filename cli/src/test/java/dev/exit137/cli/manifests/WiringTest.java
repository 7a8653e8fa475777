package dev.exit137.cli.manifests;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.exit137.agent.container.RuntimeSockets;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.LabelSelector;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.api.model.Probe;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServicePort;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.apps.StatefulSet;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPort;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.openshift.api.model.monitoring.v1.PrometheusRule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What a cluster takes without a word, and what then does not work: names that lead nowhere. */
class WiringTest {
    static List<String> names() {
        return Kustomize.names();
    }

    @ParameterizedTest
    @MethodSource("names")
    void everyObjectIsInTheNamespaceThatIsAppliedWithIt(String name) {
        Manifests manifests = Manifests.of(name);
        String namespace = manifests
                .all(Namespace.class)
                .findFirst()
                .orElseThrow()
                .getMetadata()
                .getName();
        assertThat(manifests.objects().stream()
                        .filter(object -> !(object instanceof Namespace))
                        .filter(object -> !namespace.equals(object.getMetadata().getNamespace()))
                        .map(WiringTest::named))
                .isEmpty();
        assertThat(manifests.objects().stream().map(WiringTest::named)).doesNotHaveDuplicates();
    }

    private static String named(HasMetadata object) {
        return object.getKind() + " " + object.getMetadata().getName();
    }

    @ParameterizedTest
    @MethodSource("names")
    void everySelectorSelectsAPodThatIsThere(String name) {
        Manifests manifests = Manifests.of(name);
        Stream.of(
                        manifests
                                .all(DaemonSet.class)
                                .map(each -> each.getSpec().getSelector()),
                        manifests
                                .all(StatefulSet.class)
                                .map(each -> each.getSpec().getSelector()),
                        manifests
                                .all(PodDisruptionBudget.class)
                                .map(each -> each.getSpec().getSelector()),
                        manifests
                                .all(NetworkPolicy.class)
                                .map(each -> each.getSpec().getPodSelector()))
                .flatMap(each -> each)
                .map(LabelSelector::getMatchLabels)
                .forEach(labels -> assertThat(selected(manifests, labels))
                        .as("pods with %s", labels)
                        .hasSize(1));
        assertThat(selected(manifests, manifests.agent().getSpec().getSelector().getMatchLabels()))
                .containsExactly(manifests.agent().getSpec().getTemplate());
        assertThat(selected(
                        manifests,
                        manifests.aggregator().getSpec().getSelector().getMatchLabels()))
                .containsExactly(manifests.aggregator().getSpec().getTemplate());
        assertThat(manifests
                        .all(Service.class)
                        .map(service -> service.getMetadata().getName()))
                .contains(manifests.aggregator().getSpec().getServiceName());
    }

    private static List<PodTemplateSpec> selected(Manifests manifests, Map<String, String> labels) {
        return manifests.pods().stream()
                .filter(pod -> pod.getMetadata().getLabels().entrySet().containsAll(labels.entrySet()))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("names")
    void everyPortLeadsToOneOfTheContainer(String name) {
        Manifests manifests = Manifests.of(name);
        manifests.all(Service.class).forEach(service -> {
            PodTemplateSpec pod =
                    selected(manifests, service.getSpec().getSelector()).getFirst();
            assertThat(service.getSpec().getPorts())
                    .extracting(ServicePort::getTargetPort)
                    .isNotEmpty()
                    .allSatisfy(port -> assertThat(portNames(pod)).contains(port.getStrVal()));
        });
        manifests
                .all(NetworkPolicy.class)
                .forEach(policy -> policy.getSpec().getIngress().forEach(rule -> {
                    PodTemplateSpec pod = selected(
                                    manifests, policy.getSpec().getPodSelector().getMatchLabels())
                            .getFirst();
                    assertThat(rule.getPorts())
                            .extracting(NetworkPolicyPort::getPort)
                            .extracting(IntOrString::getIntVal)
                            .isNotEmpty()
                            .allSatisfy(port -> assertThat(portNumbers(pod)).contains(port));
                }));
        manifests
                .pods()
                .forEach(pod -> pod.getSpec()
                        .getContainers()
                        .forEach(container -> assertThat(probes(container))
                                .hasSize(3)
                                .allSatisfy(probe -> assertThat(portNames(pod))
                                        .contains(probe.getHttpGet().getPort().getStrVal()))));
    }

    private static Stream<Probe> probes(Container container) {
        return Stream.of(container.getStartupProbe(), container.getLivenessProbe(), container.getReadinessProbe())
                .filter(Objects::nonNull);
    }

    private static List<String> portNames(PodTemplateSpec pod) {
        return ports(pod).map(ContainerPort::getName).toList();
    }

    private static List<Integer> portNumbers(PodTemplateSpec pod) {
        return ports(pod).map(ContainerPort::getContainerPort).toList();
    }

    private static Stream<ContainerPort> ports(PodTemplateSpec pod) {
        return pod.getSpec().getContainers().stream().flatMap(container -> container.getPorts().stream());
    }

    @ParameterizedTest
    @MethodSource("names")
    void everyVolumeIsMountedAndEveryMountHasItsVolume(String name) {
        Manifests manifests = Manifests.of(name);
        Set<String> claims = new HashSet<>();
        manifests
                .aggregator()
                .getSpec()
                .getVolumeClaimTemplates()
                .forEach(claim -> claims.add(claim.getMetadata().getName()));
        for (PodTemplateSpec pod : manifests.pods()) {
            Set<String> volumes = new HashSet<>(
                    pod.getSpec().getVolumes().stream().map(Volume::getName).toList());
            if (pod == manifests.aggregator().getSpec().getTemplate()) {
                volumes.addAll(claims);
            }
            List<VolumeMount> mounts = pod.getSpec().getContainers().stream()
                    .flatMap(container -> container.getVolumeMounts().stream())
                    .toList();
            assertThat(mounts.stream().map(VolumeMount::getName)).containsExactlyInAnyOrderElementsOf(volumes);
            assertThat(mounts.stream().map(VolumeMount::getMountPath)).doesNotHaveDuplicates();
        }
    }

    @Test
    void theDirectoryOfEachSocketThatTheAgentLooksForIsMounted() {
        PodTemplateSpec agent = Manifests.of("base").agent().getSpec().getTemplate();
        for (Path socket : RuntimeSockets.USUAL.cri()) {
            String directory = socket.getParent().toString();
            VolumeMount mount = agent.getSpec().getContainers().getFirst().getVolumeMounts().stream()
                    .filter(each -> each.getMountPath().equals(directory))
                    .findFirst()
                    .orElseThrow();
            assertThat(mount.getMountPropagation()).as(directory).isEqualTo("HostToContainer");
            assertThat(agent.getSpec().getVolumes())
                    .filteredOn(volume -> volume.getName().equals(mount.getName()))
                    .singleElement()
                    .satisfies(
                            volume -> assertThat(volume.getHostPath().getPath()).isEqualTo(directory));
        }
    }

    @ParameterizedTest
    @MethodSource("names")
    void whateverSecretIsNeededIsMadeByHandAndByCertManager(String name) throws Exception {
        List<String> needed = Manifests.of(name).pods().stream()
                .flatMap(pod -> pod.getSpec().getVolumes().stream())
                .filter(volume -> volume.getSecret() != null)
                .map(volume -> volume.getSecret().getSecretName())
                .toList();
        assertThat(Manifests.parse(Kustomize.secrets()).objects())
                .extracting(object -> object.getMetadata().getName())
                .containsAll(needed);
        assertThat(certificates())
                .extracting(certificate -> certificate.at("/spec/secretName").asText())
                .containsAll(needed);
    }

    private static List<JsonNode> certificates() throws IOException {
        Path file = Kustomize.K8S.resolve("cert-manager.yaml");
        try (var documents = new YAMLMapper().readerFor(JsonNode.class).<JsonNode>readValues(file.toFile())) {
            return documents.readAll().stream()
                    .filter(each -> each.path("kind").asText().equals("Certificate"))
                    .toList();
        }
    }

    @Test
    void aKeyOfCertManagerIsOneThatTheProgramReads() throws Exception {
        assertThat(certificates())
                .filteredOn(certificate -> !certificate.at("/spec/isCA").asBoolean())
                .hasSize(3)
                .allSatisfy(
                        each -> assertThat(each.at("/spec/privateKey/encoding").asText())
                                .isEqualTo("PKCS8"));
    }

    @ParameterizedTest
    @CsvSource({"mtls, unprivileged", "token, unprivileged", "token, cri-dockerd"})
    void componentsGoTogetherAndWithMonitoring(String one, String other, @TempDir Path directory) throws Exception {
        // Absolute paths are not taken.
        Path k8s = directory.toRealPath().relativize(Kustomize.K8S.toRealPath());
        Files.writeString(directory.resolve("kustomization.yaml"), """
        resources: [%1$s/overlays/monitoring]
        components: [%1$s/components/%2$s, %1$s/components/%3$s]
        """.formatted(k8s, one, other));
        Manifests manifests = Manifests.of(directory);
        assertThat(manifests.objects().stream().flatMap(object -> Strictly.look(object).stream()))
                .isEmpty();
        assertThat(manifests.all(PrometheusRule.class)).hasSize(1);
        Container agent = manifests.containers().getFirst();
        assertThat(agent.getEnv())
                .extracting(EnvVar::getName)
                .contains("EXIT137_TLS_CA")
                .doesNotContain("EXIT137_PLAINTEXT");
        assertThat(agent.getSecurityContext().getPrivileged()).isEqualTo(other.equals("unprivileged") ? null : true);
        assertThat(agent.getEnv())
                .extracting(EnvVar::getValue)
                .filteredOn("unix:///host/run/cri-dockerd.sock"::equals)
                .hasSize(other.equals("cri-dockerd") ? 1 : 0);
    }
}
