/**
 * Whose a container is: its name, image, pod and main process, asked from the container runtime over its unix socket
 * <em>before</em> there is a kill, and kept for a while after the container is gone. What a cgroup's path says by itself
 * is in {@code cgroup}; here is what only the runtime knows.
 *
 * <p>The Container Runtime Interface: <a
 * href="https://github.com/kubernetes/cri-api/blob/master/pkg/apis/runtime/v1/api.proto">api.proto</a>; Docker Engine
 * API: <a href="https://docs.docker.com/reference/api/engine/">reference</a>.
 */
@NullMarked
package dev.exit137.agent.container;

import org.jspecify.annotations.NullMarked;
