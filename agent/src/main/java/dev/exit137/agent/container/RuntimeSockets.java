package dev.exit137.agent.container;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * The sockets of container runtimes.
 *
 * @param cri sockets of the Container Runtime Interface
 * @param docker sockets of the Docker Engine API
 */
public record RuntimeSockets(List<Path> cri, List<Path> docker) {
    /** The sockets of containerd as packaged, in k3s and RKE2, k0s and MicroK8s; of CRI-O; of Docker. */
    public static final RuntimeSockets USUAL = new RuntimeSockets(
            paths(
                    "/run/containerd/containerd.sock",
                    "/run/crio/crio.sock",
                    "/run/k3s/containerd/containerd.sock",
                    "/run/k0s/containerd.sock",
                    "/var/snap/microk8s/common/run/containerd.sock"),
            paths("/run/docker.sock"));

    public RuntimeSockets {
        cri = List.copyOf(cri);
        docker = List.copyOf(docker);
    }

    /**
     * Returns these sockets with the one CRI socket that an administrator named.
     *
     * @param endpoint in kubelet's form: {@code unix:///run/containerd/containerd.sock}, or the path alone
     * @throws IllegalArgumentException if it has neither form
     */
    public RuntimeSockets withCri(String endpoint) {
        return new RuntimeSockets(List.of(socket("--cri-endpoint", endpoint)), docker);
    }

    /** Does the same for the Docker Engine API. */
    public RuntimeSockets withDocker(String endpoint) {
        return new RuntimeSockets(cri, List.of(socket("--docker-endpoint", endpoint)));
    }

    private static Path socket(String flag, String endpoint) {
        String path = endpoint.startsWith("unix://") ? endpoint.substring("unix://".length()) : endpoint;
        if (!path.startsWith("/")) {
            throw new IllegalArgumentException(
                    flag + " must be the path of a unix socket (unix:///run/containerd/containerd.sock), and is "
                            + endpoint);
        }
        return Path.of(path);
    }

    private static List<Path> paths(String... paths) {
        return Stream.of(paths).map(Path::of).toList();
    }
}
