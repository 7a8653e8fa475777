package dev.exit137.aggregator.store;

/**
 * How many events retention has removed since the store was opened.
 *
 * @param byAge because they were older than it allows
 * @param bySize because the file was larger than it allows
 */
public record RemovedEvents(long byAge, long bySize) {}
