package dev.exit137.aggregator.store;

import dev.exit137.proto.v1.OomKillEvent;

/**
 * An event and its position in the store.
 *
 * @param rowId increases with every stored event, and is never assigned twice
 * @param event the event, in its newest revision
 */
public record StoredEvent(long rowId, OomKillEvent event) {}
