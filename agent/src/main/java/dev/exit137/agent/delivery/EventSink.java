package dev.exit137.agent.delivery;

import dev.exit137.proto.v1.OomKillEvent;

/** Is told of each event as it goes out, beside the aggregator. Agent-worker thread; must not wait for long. */
public interface EventSink extends AutoCloseable {
  /** Wants none. */
  EventSink NONE =
      new EventSink() {
        @Override
        public void add(OomKillEvent event) {
          // Nobody asked.
        }

        @Override
        public long dropped() {
          return 0;
        }

        @Override
        public void close() {
          // Nothing is open.
        }
      };

  /** Takes an event once in each of its revisions; what an earlier run left in the spool is not told again. */
  void add(OomKillEvent event);

  /** Events that it had no room for since its start. Any thread. */
  long dropped();

  @Override
  void close();
}
