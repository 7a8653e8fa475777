package dev.exit137.aggregator.store;

import java.util.List;

/**
 * A page of events, newest stored first.
 *
 * @param events the events, at least one if any event matches
 * @param more whether older events match as well
 */
public record EventPage(List<StoredEvent> events, boolean more) {}
