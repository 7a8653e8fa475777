package dev.exit137.agent.delivery;

import dev.exit137.proto.v1.OomKillEvent;

/** Receives each event as it goes out, in addition to the aggregator. Agent-worker thread; must not wait for long. */
public interface EventSink extends AutoCloseable {
    /** Ignores all events. */
    EventSink NONE = new EventSink() {
        @Override
        public void add(OomKillEvent event) {
            // This sink ignores events.
        }

        @Override
        public long dropped() {
            return 0;
        }

        @Override
        public void close() {
            // The sink owns no resource.
        }
    };

    /** Takes an event once in each of its revisions, except for events that an earlier run left in the spool. */
    void add(OomKillEvent event);

    /** Returns the number of events dropped for want of room since the start. Any thread. */
    long dropped();

    @Override
    void close();
}
