package dev.exit137.agent.container;

import dev.exit137.agent.exit.ContainerEnd;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * A container runtime behind a socket. No method except {@link #close} blocks. Every answer comes or fails within a
 * deadline, on the agent-identity thread. The message of a failure is fit for a user.
 */
interface ContainerRuntime extends AutoCloseable {
    /** Lists all containers, ended ones included; without the main pids if each of them costs a request. */
    CompletableFuture<List<Identity>> list();

    /** Returns one container with all known fields; empty if the runtime does not know it. */
    CompletableFuture<Optional<Identity>> ask(String id);

    /**
     * Returns what the runtime keeps of a container's last end, with an exit code only while the container has not
     * started again; empty if the runtime does not know the container, or no end of it.
     */
    CompletableFuture<Optional<ContainerEnd>> askEnd(String id);

    /**
     * Reports what happens to containers, until the stream ends, which completes the result. A failure means that this
     * runtime has no such stream.
     */
    CompletableFuture<Void> watch(RuntimeWatcher watcher);

    /** Ends the connection, and waits for a moment until no callback comes any more. Not on the agent-identity thread. */
    @Override
    void close();
}
