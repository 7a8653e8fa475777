package dev.exit137.aggregator.store;

/**
 * The number of events that retention has removed since the store was opened.
 *
 * @param byAge removed because they were older than the maximum age
 * @param bySize removed because the file was larger than the maximum size
 */
public record RemovedEvents(long byAge, long bySize) {}
