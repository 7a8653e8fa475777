package dev.exit137.aggregator.store;

/** Rows that were to be read are gone: retention was faster than the reader. */
public final class RowsRemovedException extends Exception {
  private final long lastRemovedRowId;

  private RowsRemovedException(long lastRemovedRowId) {
    super("rows up to " + lastRemovedRowId + " are removed");
    this.lastRemovedRowId = lastRemovedRowId;
  }

  /** Throws it to a reader that wants rows after one, when rows after that are removed. */
  public static void throwIfAfter(long rowId, long lastRemovedRowId) throws RowsRemovedException {
    if (lastRemovedRowId > rowId) {
      throw new RowsRemovedException(lastRemovedRowId);
    }
  }

  /** The rows after this one are there. */
  public long lastRemovedRowId() {
    return lastRemovedRowId;
  }
}
