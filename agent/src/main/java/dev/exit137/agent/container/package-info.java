/**
 * Finds the identity of a container: its name, image, pod and main process, asked from the container runtime over its
 * unix socket <em>before</em> a kill, and kept for a while after the container is gone. The package {@code cgroup}
 * reads the facts that a cgroup's path has; this one adds the facts that only the runtime knows.
 *
 * <p>The Container Runtime Interface: <a
 * href="https://github.com/kubernetes/cri-api/blob/master/pkg/apis/runtime/v1/api.proto">api.proto</a>; Docker Engine
 * API: <a href="https://docs.docker.com/reference/api/engine/">reference</a>.
 */
@NullMarked
package dev.exit137.agent.container;

import org.jspecify.annotations.NullMarked;
