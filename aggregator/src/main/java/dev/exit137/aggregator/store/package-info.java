/**
 * The event store on disk, in SQLite: one writer thread, a pool of readers, retention, and the tokens that name a row.
 *
 * @see <a href="https://www.sqlite.org/wal.html">Write-Ahead Logging</a>
 */
@NullMarked
package dev.exit137.aggregator.store;

import org.jspecify.annotations.NullMarked;
