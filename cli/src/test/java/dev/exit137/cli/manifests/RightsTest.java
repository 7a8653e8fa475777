package dev.exit137.cli.manifests;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.ResourceRequirements;
import io.fabric8.kubernetes.api.model.SecurityContext;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeMount;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What the daemons may do, and may use: what the table of rights in k8s/README.md says, and no more. */
class RightsTest {
    static List<String> names() {
        return Kustomize.names();
    }

    @ParameterizedTest
    @MethodSource("names")
    void whatTheHostLendsIsReadOnlyButTheAgentsState(String name) {
        for (PodTemplateSpec pod : Manifests.of(name).pods()) {
            List<String> ofTheHost = pod.getSpec().getVolumes().stream()
                    .filter(volume -> volume.getHostPath() != null)
                    .map(Volume::getName)
                    .toList();
            assertThat(pod.getSpec().getContainers().getFirst().getVolumeMounts())
                    .filteredOn(mount -> ofTheHost.contains(mount.getName())
                            && !mount.getName().equals("state"))
                    .allSatisfy(mount -> assertThat(mount.getReadOnly())
                            .as(mount.getMountPath())
                            .isTrue());
        }
    }

    @ParameterizedTest
    @MethodSource("names")
    void theSystemBusIsLentToThePrivilegedAgentAlone(String name) {
        var agent = Manifests.of(name)
                .agent()
                .getSpec()
                .getTemplate()
                .getSpec()
                .getContainers()
                .getFirst();
        boolean isPrivileged = Boolean.TRUE.equals(agent.getSecurityContext().getPrivileged());
        assertThat(agent.getVolumeMounts())
                .extracting(VolumeMount::getMountPath)
                .filteredOn("/run/dbus"::equals)
                .hasSize(isPrivileged ? 1 : 0);
    }

    @ParameterizedTest
    @MethodSource("names")
    void neitherDaemonHasARightInTheApiOfTheCluster(String name) {
        Manifests manifests = Manifests.of(name);
        List<ServiceAccount> accounts = manifests.all(ServiceAccount.class).toList();
        assertThat(accounts)
                .allSatisfy(account ->
                        assertThat(account.getAutomountServiceAccountToken()).isFalse());
        assertThat(manifests.pods())
                .extracting(pod -> pod.getSpec().getServiceAccountName())
                .containsExactlyElementsOf(accounts.stream()
                        .map(account -> account.getMetadata().getName())
                        .toList());
        assertThat(manifests.pods()).allSatisfy(pod -> {
            assertThat(pod.getSpec().getAutomountServiceAccountToken()).isFalse();
            assertThat(pod.getSpec().getHostNetwork()).isNull();
            assertThat(pod.getSpec().getHostIPC()).isNull();
        });
        // And no role is bound to any: Manifests would not know the kind.
    }

    @ParameterizedTest
    @MethodSource("names")
    void onlyTheAgentIsPrivilegedAndNobodyWritesIntoTheImage(String name) {
        Manifests manifests = Manifests.of(name);
        SecurityContext agent = manifests
                .agent()
                .getSpec()
                .getTemplate()
                .getSpec()
                .getContainers()
                .getFirst()
                .getSecurityContext();
        assertThat(manifests.containers())
                .allSatisfy(each -> assertThat(each.getSecurityContext().getReadOnlyRootFilesystem())
                        .isTrue());
        if (name.endsWith("/unprivileged")) {
            assertThatCanDoLittle(manifests.agent().getSpec().getTemplate());
            assertThat(manifests.agent().getSpec().getTemplate().getSpec().getHostPID())
                    .isNotEqualTo(true);
            assertThat(manifests.agent().getSpec().getTemplate().getSpec().getVolumes())
                    .filteredOn(volume -> volume.getHostPath() != null)
                    .extracting(Volume::getName)
                    .containsExactly("cgroup");
        } else {
            assertThat(agent.getPrivileged()).isTrue();
        }
        assertThatCanDoLittle(manifests.aggregator().getSpec().getTemplate());
    }

    /** What Kubernetes calls restricted, but for volumes of the host. */
    private static void assertThatCanDoLittle(PodTemplateSpec pod) {
        assertThat(pod.getSpec().getSecurityContext().getRunAsNonRoot()).isTrue();
        assertThat(pod.getSpec().getSecurityContext().getRunAsUser()).isEqualTo(65532);
        assertThat(pod.getSpec().getSecurityContext().getSeccompProfile().getType())
                .isEqualTo("RuntimeDefault");
        assertThat(pod.getSpec().getContainers())
                .extracting(Container::getSecurityContext)
                .allSatisfy(context -> {
                    assertThat(context.getPrivileged()).isNotEqualTo(true);
                    assertThat(context.getRunAsUser()).isNull();
                    assertThat(context.getAllowPrivilegeEscalation()).isFalse();
                    assertThat(context.getCapabilities().getDrop()).containsExactly("ALL");
                    assertThat(context.getCapabilities().getAdd()).isEmpty();
                });
    }

    @ParameterizedTest
    @MethodSource("names")
    void everyContainerHasBoundsAndAnImageWithAVersion(String name) {
        assertThat(Manifests.of(name).containers()).hasSize(2).allSatisfy(container -> {
            assertThat(container.getImage()).matches("[^:]+:\\d+\\.\\d+\\.\\d+");
            ResourceRequirements resources = container.getResources();
            assertThat(resources.getRequests()).containsOnlyKeys("cpu", "memory");
            assertThat(resources.getLimits()).containsOnlyKeys("memory");
            assertThat(bytes(resources.getRequests().get("memory")))
                    .isLessThanOrEqualTo(bytes(resources.getLimits().get("memory")));
        });
    }

    private static long bytes(Quantity quantity) {
        return quantity.getNumericalAmount().longValueExact();
    }
}
