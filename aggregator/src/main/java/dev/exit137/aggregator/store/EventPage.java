package dev.exit137.aggregator.store;

import java.util.List;

/**
 * Some events, newest stored first.
 *
 * @param events the events, at least one when there are more
 * @param more whether older ones match as well
 */
public record EventPage(List<StoredEvent> events, boolean more) {}
