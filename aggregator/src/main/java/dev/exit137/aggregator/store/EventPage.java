package dev.exit137.aggregator.store;

import com.google.protobuf.Message;
import java.util.List;

/**
 * A page of events, newest stored first.
 *
 * @param events the events, at least one if any event matches
 * @param more whether older events match as well
 */
public record EventPage<E extends Message>(List<StoredEvent<E>> events, boolean more) {}
