package dev.exit137.aggregator.ingest;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The nodes of the agents with an open stream. An agent that reconnects can have two for a while. Safe for all threads.
 */
public final class ConnectedNodes {
    private final Map<String, Integer> streams = new ConcurrentHashMap<>();

    /** Whether the node's agent has an open stream. */
    public boolean contains(String node) {
        return streams.containsKey(node);
    }

    /** Returns the number of nodes with an agent that has an open stream. */
    public int size() {
        return streams.size();
    }

    void add(String node) {
        streams.merge(node, 1, Integer::sum);
    }

    void remove(String node) {
        streams.computeIfPresent(node, (name, count) -> count == 1 ? null : count - 1);
    }
}
