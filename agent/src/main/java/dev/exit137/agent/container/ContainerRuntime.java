package dev.exit137.agent.container;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * A runtime behind a socket. No method but {@link #close} blocks, and every answer comes or fails within a deadline, on
 * the agent-identity thread. The message of a failure is fit for a user.
 */
interface ContainerRuntime extends AutoCloseable {
  /** Every container there is, those that have ended included; without the main pids where those cost a question each. */
  CompletableFuture<List<Identity>> list();

  /** One container with all that is known of it; empty when the runtime does not know it. */
  CompletableFuture<Optional<Identity>> ask(String id);

  /**
   * Tells of containers that started, until the stream ends, which completes the result. A failure means that this
   * runtime has no such stream.
   */
  CompletableFuture<Void> watch(Consumer<String> started);

  /** Ends it, and waits for a moment until no callback comes any more. Not the agent-identity thread. */
  @Override
  void close();
}
