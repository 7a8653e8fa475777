package dev.exit137.aggregator.store;

import com.google.protobuf.Message;

/**
 * An event and its position in the store.
 *
 * @param rowId increases with every stored event, and is never assigned twice
 * @param event the event, in its newest revision
 */
public record StoredEvent<E extends Message>(long rowId, E event) {}
