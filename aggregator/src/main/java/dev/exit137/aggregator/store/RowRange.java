package dev.exit137.aggregator.store;

/**
 * Rows of the store.
 *
 * @param first the first row id of it
 * @param last the last; less than the first when the range is empty
 */
public record RowRange(long first, long last) {
  static final RowRange ALL = new RowRange(1, Long.MAX_VALUE);
  static final RowRange NONE = new RowRange(1, 0);

  /** Whether no row is in it. */
  public boolean isEmpty() {
    return last < first;
  }
}
