package dev.exit137.agent;

import java.io.IOException;

/** The node agent: kernel evidence in, events out. Started and closed once. */
public final class Agent implements AutoCloseable {

  private Agent() {}

  /**
   * Starts the agent's threads and returns when it is watching.
   *
   * @throws IOException the state directory cannot be used, or nothing at all can be watched
   */
  public static Agent start(AgentConfig config) throws IOException {
    return new Agent();
  }

  /** Writes the checkpoint and ends every thread. */
  @Override
  public void close() {}
}
