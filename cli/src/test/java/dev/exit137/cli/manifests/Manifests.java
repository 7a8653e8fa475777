package dev.exit137.cli.manifests;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.type.LogicalType;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.api.model.ResourceQuota;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.apps.StatefulSet;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.openshift.api.model.monitoring.v1.PodMonitor;
import io.fabric8.openshift.api.model.monitoring.v1.PrometheusRule;
import io.fabric8.openshift.api.model.monitoring.v1.ServiceMonitor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** What a kustomization applies, as the types of the Kubernetes API. */
record Manifests(List<HasMetadata> objects) {
    private static final List<Class<? extends HasMetadata>> KINDS = List.of(
            Namespace.class,
            ServiceAccount.class,
            Service.class,
            ConfigMap.class,
            Secret.class,
            ResourceQuota.class,
            Pod.class,
            DaemonSet.class,
            StatefulSet.class,
            PodDisruptionBudget.class,
            NetworkPolicy.class,
            PrometheusRule.class,
            ServiceMonitor.class,
            PodMonitor.class);

    private static final YAMLMapper YAML = mapper();

    /** As strict as the API server: no key twice, no number or boolean where a string belongs, nor a string for one. */
    private static YAMLMapper mapper() {
        YAMLMapper.Builder builder = YAMLMapper.builder()
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS);
        for (var shape : List.of(CoercionInputShape.Boolean, CoercionInputShape.Integer, CoercionInputShape.Float)) {
            builder.withCoercionConfig(LogicalType.Textual, textual -> textual.setCoercion(shape, CoercionAction.Fail));
        }
        return builder.build();
    }

    /** Those of k8s/base or of an overlay. */
    static Manifests of(String name) {
        return of(Kustomize.K8S.resolve(name));
    }

    static Manifests of(Path directory) {
        return parse(Kustomize.render(directory));
    }

    static Manifests parse(String yaml) {
        List<HasMetadata> objects = new ArrayList<>();
        try (var documents = YAML.readerFor(JsonNode.class).<JsonNode>readValues(yaml)) {
            while (documents.hasNext()) {
                objects.add(typed(documents.next()));
            }
        } catch (IOException e) {
            throw new AssertionError(e.getMessage(), e);
        }
        return new Manifests(objects);
    }

    private static HasMetadata typed(JsonNode object) throws JsonProcessingException {
        String kind = object.path("kind").asText();
        String apiVersion = object.path("apiVersion").asText();
        for (Class<? extends HasMetadata> type : KINDS) {
            if (HasMetadata.getKind(type).equals(kind)
                    && HasMetadata.getApiVersion(type).equals(apiVersion)) {
                return YAML.treeToValue(object, type);
            }
        }
        throw new AssertionError("no type is known here for " + apiVersion + " " + kind);
    }

    <T extends HasMetadata> Stream<T> all(Class<T> type) {
        return objects.stream().filter(type::isInstance).map(type::cast);
    }

    DaemonSet agent() {
        return all(DaemonSet.class).findFirst().orElseThrow();
    }

    StatefulSet aggregator() {
        return all(StatefulSet.class).findFirst().orElseThrow();
    }

    /** The pods of both daemons. */
    List<PodTemplateSpec> pods() {
        return List.of(agent().getSpec().getTemplate(), aggregator().getSpec().getTemplate());
    }

    List<Container> containers() {
        return pods().stream()
                .flatMap(pod -> pod.getSpec().getContainers().stream())
                .toList();
    }
}
