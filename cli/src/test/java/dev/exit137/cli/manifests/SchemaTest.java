package dev.exit137.cli.manifests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.HasMetadata;
import java.nio.file.Files;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Whether a cluster would take the manifests. */
class SchemaTest {
    static List<String> names() {
        return Kustomize.names();
    }

    @ParameterizedTest
    @MethodSource("names")
    void everyObjectIsWhatTheKubernetesApiKnows(String name) {
        assertThat(Manifests.of(name).objects())
                .isNotEmpty()
                .allSatisfy(object -> assertThat(Strictly.look(object)).isEmpty());
    }

    @Test
    void thePodOfTheDemoIsOneThatAnyNamespaceTakes() throws Exception {
        String yaml = Files.readString(Kustomize.K8S.resolve("demo.yaml"));
        assertThat(Manifests.parse(yaml).objects())
                .singleElement()
                .satisfies(pod -> assertThat(Strictly.look(pod)).isEmpty());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
      hostPID: true             | hostPid: true               | spec.template.spec.hostPid: no such field
      readOnlyRootFilesystem    | readonlyRootFilesystem      | .securityContext.readonlyRootFilesystem: no such field
      operator: Exists          | operator: Exist             | tolerations[0].operator: 'Exist' is none of
      type: CharDevice          | type: Device                | hostPath.type: 'Device' is none of
      memory: 64Mi              | memory: 64MiB               | requests.memory: '64MiB' is no quantity
      priorityClassName         | priority_class              | spec.template.spec.priority_class: no such field
      """)
    void aMistakeThatAClusterWouldRefuseIsFound(String right, String wrong, String complaint) {
        String yaml = Kustomize.render(Kustomize.K8S.resolve("base"));
        assertThat(yaml).contains(right);
        List<HasMetadata> objects = Manifests.parse(yaml.replace(right, wrong)).objects();
        assertThat(objects.stream().flatMap(object -> Strictly.look(object).stream()))
                .anySatisfy(line -> assertThat(line).contains(complaint));
    }

    @Test
    void aNumberIsNoStringAndAStringNoNumber() {
        String yaml = Kustomize.render(Kustomize.K8S.resolve("base"));
        Stream.of(
                        new String[] {"value: \"true\"", "value: true"},
                        new String[] {"replicas: 1", "replicas: \"1\""},
                        new String[] {"apiVersion: policy/v1", "apiVersion: policy/v1beta1"})
                .forEach(each -> {
                    assertThat(yaml).contains(each[0]);
                    assertThatThrownBy(() -> Manifests.parse(yaml.replace(each[0], each[1])))
                            .isInstanceOf(AssertionError.class);
                });
    }
}
