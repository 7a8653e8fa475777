package dev.exit137.cli.manifests;

import static java.util.Map.entry;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Quantity;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What the API server, asked to be strict, would not take of an object. */
final class Strictly {
    private static final String MODEL = "io.fabric8.";
    private static final Set<String> PROTOCOLS = Set.of("TCP", "UDP", "SCTP");
    private static final Set<String> SELECTOR_OPERATORS = Set.of("In", "NotIn", "Exists", "DoesNotExist");

    // The model has strings for these. A field of one of these names is listed here with its type, or is reported.
    private static final Set<String> CHOICES = Set.of(
            "operator",
            "protocol",
            "effect",
            "scheme",
            "policyTypes",
            "accessModes",
            "mountPropagation",
            "scopeName",
            "fsGroupChangePolicy",
            "imagePullPolicy",
            "restartPolicy",
            "dnsPolicy");
    private static final Map<String, Set<String>> VALUES = Map.ofEntries(
            entry("Toleration.operator", Set.of("Exists", "Equal")),
            entry("Toleration.effect", Set.of("NoSchedule", "PreferNoSchedule", "NoExecute")),
            entry("NodeSelectorRequirement.operator", Set.of("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")),
            entry("LabelSelectorRequirement.operator", SELECTOR_OPERATORS),
            entry("ScopedResourceSelectorRequirement.operator", SELECTOR_OPERATORS),
            entry("ScopedResourceSelectorRequirement.scopeName", Set.of("PriorityClass")),
            entry(
                    "HostPathVolumeSource.type",
                    Set.of(
                            "Directory",
                            "DirectoryOrCreate",
                            "File",
                            "FileOrCreate",
                            "Socket",
                            "CharDevice",
                            "BlockDevice")),
            entry("VolumeMount.mountPropagation", Set.of("None", "HostToContainer", "Bidirectional")),
            entry("SeccompProfile.type", Set.of("RuntimeDefault", "Unconfined", "Localhost")),
            entry("PodSecurityContext.fsGroupChangePolicy", Set.of("OnRootMismatch", "Always")),
            entry("PodSpec.restartPolicy", Set.of("Always", "OnFailure", "Never")),
            entry("PodSpec.dnsPolicy", Set.of("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")),
            entry("Container.imagePullPolicy", Set.of("Always", "IfNotPresent", "Never")),
            entry("ContainerPort.protocol", PROTOCOLS),
            entry("ServicePort.protocol", PROTOCOLS),
            entry("NetworkPolicyPort.protocol", PROTOCOLS),
            entry("NetworkPolicySpec.policyTypes", Set.of("Ingress", "Egress")),
            entry("HTTPGetAction.scheme", Set.of("HTTP", "HTTPS")),
            entry("PodMetricsEndpoint.scheme", Set.of("http", "https")),
            entry("Endpoint.scheme", Set.of("http", "https")),
            entry("ServiceSpec.type", Set.of("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")),
            entry("DaemonSetUpdateStrategy.type", Set.of("RollingUpdate", "OnDelete")),
            entry("StatefulSetUpdateStrategy.type", Set.of("RollingUpdate", "OnDelete")),
            entry(
                    "PersistentVolumeClaimSpec.accessModes",
                    Set.of("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")));

    private final List<String> found = new ArrayList<>();

    private Strictly() {}

    /** One line each: where it is, and what is wrong with it. */
    static List<String> look(HasMetadata object) {
        var look = new Strictly();
        look.at(object.getKind() + " " + object.getMetadata().getName(), object);
        return look.found;
    }

    private void at(String path, Object value) {
        switch (value) {
            case null -> {}
            case Quantity quantity -> at(path, quantity);
            case Collection<?> list -> {
                int index = 0;
                for (Object each : list) {
                    at(path + "[" + index++ + "]", each);
                }
            }
            case Map<?, ?> map -> map.forEach((key, each) -> at(path + "." + key, each));
            default -> {
                for (Class<?> type = value.getClass(); type.getName().startsWith(MODEL); type = type.getSuperclass()) {
                    fields(path, value, type);
                }
            }
        }
    }

    private void fields(String path, Object object, Class<?> type) {
        for (Field field : type.getDeclaredFields()) {
            if (!Modifier.isStatic(field.getModifiers())) {
                Object value = get(field, object);
                if (field.getName().equals("additionalProperties")) {
                    ((Map<?, ?>) value).keySet().forEach(key -> found.add(path + "." + key + ": no such field"));
                } else {
                    choice(
                            path + "." + field.getName(),
                            type.getSimpleName() + "." + field.getName(),
                            field.getName(),
                            value);
                    at(path + "." + field.getName(), value);
                }
            }
        }
    }

    private void choice(String path, String typedName, String name, Object value) {
        Set<String> values = VALUES.get(typedName);
        for (Object each : value instanceof Collection<?> list ? list : value == null ? List.of() : List.of(value)) {
            if (values != null && !values.contains(each)) {
                found.add(path + ": '" + each + "' is none of " + values);
            } else if (values == null && CHOICES.contains(name)) {
                found.add(path + ": say in this test which values " + typedName + " may have");
            }
        }
    }

    private void at(String path, Quantity quantity) {
        try {
            quantity.getNumericalAmount();
        } catch (IllegalArgumentException e) {
            found.add(path + ": '" + quantity + "' is no quantity");
        }
    }

    private static Object get(Field field, Object object) {
        try {
            field.setAccessible(true);
            return field.get(object);
        } catch (IllegalAccessException e) {
            throw new AssertionError(e);
        }
    }
}
