package dev.exit137.aggregator;

import dev.exit137.aggregator.store.EventStore;
import java.io.IOException;
import java.time.InstantSource;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes the events of all agents, keeps them, and serves them to consumers. Its threads are daemons: whoever starts one
 * waits in {@link #awaitTermination()}. All methods may be called from any thread.
 */
public final class Aggregator implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Aggregator.class);

  private final EventStore store;
  private final GrpcServer server;
  private final CountDownLatch closed = new CountDownLatch(1);

  private Aggregator(EventStore store, GrpcServer server) {
    this.store = store;
    this.server = server;
  }

  /**
   * Opens the store and listens.
   *
   * @throws IOException fit to be shown to a user as it is: the address cannot be listened on, or the data directory
   *     cannot be used
   */
  public static Aggregator start(AggregatorConfig config) throws IOException {
    EventStore store = EventStore.open(config.dataDir(), config.retention(), InstantSource.system());
    try {
      GrpcServer server = GrpcServer.start(config, store);
      return new Aggregator(store, server);
    } catch (IOException | RuntimeException e) {
      store.close();
      throw e;
    }
  }

  /** The TCP port that it listens on, also where the configuration asked for a free one. */
  public int port() {
    return server.port();
  }

  /** Waits until {@link #close()} is done. */
  public void awaitTermination() throws InterruptedException {
    closed.await();
  }

  /**
   * Stops gracefully: not healthy any more, no new calls, what agents sent is stored and acknowledged, streams end with
   * UNAVAILABLE, the store is closed. Takes some seconds at most. Calls after the first do nothing.
   */
  @Override
  public synchronized void close() {
    if (closed.getCount() == 0) {
      return;
    }
    try {
      server.close();
      store.close();
    } catch (IOException e) {
      log.error("the aggregator did not stop cleanly", e);
    } finally {
      closed.countDown();
    }
  }
}
