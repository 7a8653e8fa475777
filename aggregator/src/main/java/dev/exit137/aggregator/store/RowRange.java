package dev.exit137.aggregator.store;

/**
 * A range of rows of the store.
 *
 * @param first its first row id
 * @param last its last row id; less than the first if the range is empty
 */
record RowRange(long first, long last) {
    static final RowRange ALL = new RowRange(1, Long.MAX_VALUE);
    static final RowRange NONE = new RowRange(1, 0);

    /** Whether the range is empty. */
    boolean isEmpty() {
        return last < first;
    }
}
