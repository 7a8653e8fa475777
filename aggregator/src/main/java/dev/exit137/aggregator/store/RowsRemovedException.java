package dev.exit137.aggregator.store;

/** The requested rows are removed: retention was faster than the reader. */
public final class RowsRemovedException extends Exception {
    private final long lastRemovedRowId;

    private RowsRemovedException(long lastRemovedRowId) {
        super("rows up to " + lastRemovedRowId + " are removed");
        this.lastRemovedRowId = lastRemovedRowId;
    }

    /** Throws if rows after the given row, which the reader needs, are removed. */
    public static void throwIfAfter(long rowId, long lastRemovedRowId) throws RowsRemovedException {
        if (lastRemovedRowId > rowId) {
            throw new RowsRemovedException(lastRemovedRowId);
        }
    }

    /** Returns the last removed row; the rows after it exist. */
    public long lastRemovedRowId() {
        return lastRemovedRowId;
    }
}
