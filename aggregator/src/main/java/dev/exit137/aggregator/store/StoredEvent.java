package dev.exit137.aggregator.store;

import dev.exit137.proto.v1.OomKillEvent;

/**
 * An event and its place in the store.
 *
 * @param rowId grows with every event stored, and is never given twice
 * @param event the event, in its newest revision
 */
public record StoredEvent(long rowId, OomKillEvent event) {}
