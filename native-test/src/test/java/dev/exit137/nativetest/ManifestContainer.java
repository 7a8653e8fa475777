package dev.exit137.nativetest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.exit137.nativetest.cri.Capability;
import dev.exit137.nativetest.cri.ContainerConfig;
import dev.exit137.nativetest.cri.ContainerMetadata;
import dev.exit137.nativetest.cri.ImageSpec;
import dev.exit137.nativetest.cri.Int64Value;
import dev.exit137.nativetest.cri.KeyValue;
import dev.exit137.nativetest.cri.LinuxContainerConfig;
import dev.exit137.nativetest.cri.LinuxContainerResources;
import dev.exit137.nativetest.cri.LinuxContainerSecurityContext;
import dev.exit137.nativetest.cri.Mount;
import dev.exit137.nativetest.cri.NamespaceMode;
import dev.exit137.nativetest.cri.NamespaceOption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/** The container of a daemon from its manifest, configured as kubelet would ask a runtime for it. */
final class ManifestContainer {
    private static final YAMLMapper YAML = new YAMLMapper();

    private final JsonNode pod;
    private final JsonNode container;

    /** @param manifest a file with a DaemonSet or a StatefulSet, and other objects */
    ManifestContainer(Path manifest) throws IOException {
        JsonNode template = null;
        try (var objects = YAML.readerFor(JsonNode.class).<JsonNode>readValues(manifest.toFile())) {
            while (objects.hasNext()) {
                JsonNode object = objects.next();
                template =
                        object.at("/spec/template/spec").isMissingNode() ? template : object.at("/spec/template/spec");
            }
        }
        pod = template;
        container = pod.at("/containers/0");
    }

    boolean isPrivileged() {
        return container.at("/securityContext/privileged").asBoolean();
    }

    /**
     * Returns the container's configuration. The network is the node's. Mounts are private: propagation is between
     * kubelet and a node's root.
     *
     * @param image instead of the manifest's, which belongs to a registry
     * @param variables instead of the manifest's
     * @param volumes directories instead of those of a node or a cluster
     */
    ContainerConfig config(String image, Map<String, String> variables, Map<String, Path> volumes) throws IOException {
        ContainerConfig.Builder config = ContainerConfig.newBuilder()
                .setMetadata(ContainerMetadata.newBuilder()
                        .setName(container.get("name").asText()))
                .setImage(ImageSpec.newBuilder().setImage(image))
                .setLogPath(container.get("name").asText() + ".log")
                .setLinux(LinuxContainerConfig.newBuilder()
                        .setResources(LinuxContainerResources.newBuilder().setMemoryLimitInBytes(memoryLimit()))
                        .setSecurityContext(security()));
        container.at("/args").forEach(argument -> config.addArgs(argument.asText()));
        Map<String, String> environment = new TreeMap<>();
        container
                .at("/env")
                .forEach(one -> environment.put(
                        one.get("name").asText(), one.at("/value").asText()));
        environment.putAll(variables);
        environment.forEach((name, value) ->
                config.addEnvs(KeyValue.newBuilder().setKey(name).setValue(value)));
        for (JsonNode mount : container.at("/volumeMounts")) {
            String name = mount.get("name").asText();
            Path directory = volumes.containsKey(name) ? volumes.get(name) : hostPath(name);
            // A node may lack the runtime: kubelet makes the directory, a test does not.
            if (Files.exists(directory)) {
                config.addMounts(Mount.newBuilder()
                        .setContainerPath(mount.get("mountPath").asText())
                        .setHostPath(directory.toString())
                        .setReadonly(mount.at("/readOnly").asBoolean()));
            }
        }
        return config.build();
    }

    /** Returns the value of a variable in the manifest. */
    String variable(String name) {
        for (JsonNode variable : container.at("/env")) {
            if (variable.get("name").asText().equals(name)) {
                return variable.get("value").asText();
            }
        }
        throw new AssertionError("no variable " + name + " in " + container);
    }

    private Path hostPath(String volume) {
        for (JsonNode one : pod.at("/volumes")) {
            if (one.get("name").asText().equals(volume) && one.has("hostPath")) {
                return Path.of(one.at("/hostPath/path").asText());
            }
        }
        throw new AssertionError("no volume " + volume + " of the host in " + pod);
    }

    private long memoryLimit() {
        String limit = container.at("/resources/limits/memory").asText();
        return Long.parseLong(limit.replaceFirst("Mi$", "")) << 20;
    }

    private LinuxContainerSecurityContext security() {
        JsonNode own = container.at("/securityContext");
        NamespaceMode pid = pod.at("/hostPID").asBoolean() ? NamespaceMode.NODE : NamespaceMode.CONTAINER;
        LinuxContainerSecurityContext.Builder security = LinuxContainerSecurityContext.newBuilder()
                .setNamespaceOptions(NamespaceOption.newBuilder()
                        .setNetwork(NamespaceMode.NODE)
                        .setPid(pid))
                .setPrivileged(isPrivileged())
                .setReadonlyRootfs(own.at("/readOnlyRootFilesystem").asBoolean())
                .setNoNewPrivs(own.has("allowPrivilegeEscalation")
                        && !own.get("allowPrivilegeEscalation").asBoolean());
        for (JsonNode context : new JsonNode[] {pod.at("/securityContext"), own}) {
            if (context.has("runAsUser")) {
                security.setRunAsUser(Int64Value.newBuilder()
                        .setValue(context.get("runAsUser").asLong()));
            }
            if (context.has("runAsGroup")) {
                security.setRunAsGroup(Int64Value.newBuilder()
                        .setValue(context.get("runAsGroup").asLong()));
            }
        }
        Capability.Builder capabilities = Capability.newBuilder();
        own.at("/capabilities/drop").forEach(name -> capabilities.addDropCapabilities(name.asText()));
        return security.setCapabilities(capabilities).build();
    }
}
