package dev.exit137.aggregator.store;

import dev.exit137.daemon.guard.Guard;
import java.sql.SQLException;
import java.util.Optional;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.sqlite.SQLiteErrorCode;

/**
 * Whether the store can write, and if not, the reason as a sentence for the user. A full disk and an I/O error can
 * pass; a damaged file needs an administrator. Safe for all threads.
 */
final class WriteState {
  private static final Logger LOG = LoggerFactory.getLogger(WriteState.class);

  // The lowest byte of an extended result code is its primary code: https://www.sqlite.org/rescode.html
  private static final int PRIMARY_CODE = 0xff;

  private final Guard guard;
  private Consumer<Optional<String>> listener = failure -> {};
  private volatile Optional<String> failure = Optional.empty();
  private volatile boolean damaged;

  /** @param guard catches the exceptions of the listener */
  WriteState(Guard guard) {
    this.guard = guard;
  }

  /** Reports the current state to the listener, and then every change. */
  synchronized void onChange(Consumer<Optional<String>> newListener) {
    listener = newListener;
    listener.accept(failure);
  }

  /** Why nothing can be stored; empty while the store can write. */
  Optional<String> failure() {
    return failure;
  }

  /** Whether the failure can pass without an administrator. */
  boolean mayPass() {
    return failure.isPresent() && !damaged;
  }

  /**
   * Records a failure of the disk or of the file.
   *
   * @return whether the exception is such a failure; every other exception is a defect of the program or of a message
   */
  boolean note(Throwable cause) {
    if (!(cause instanceof SQLException sql)) {
      return false;
    }
    switch (SQLiteErrorCode.getErrorCode(sql.getErrorCode() & PRIMARY_CODE)) {
      case SQLITE_FULL -> change(Optional.of("the disk is full (" + sql.getMessage() + ")"));
      case SQLITE_IOERR, SQLITE_READONLY, SQLITE_CANTOPEN ->
          change(Optional.of("the disk does not work (" + sql.getMessage() + ")"));
      case SQLITE_CORRUPT, SQLITE_NOTADB -> {
        damaged = true;
        change(Optional.of("the store's file is damaged; stop the aggregator and see to it (" + sql.getMessage() + ")"));
      }
      case SQLITE_BUSY, SQLITE_LOCKED -> LOG.warn("another program holds the store: {}", sql.getMessage());
      default -> {
        return false;
      }
    }
    return true;
  }

  /** Reports that the disk has no free space at the start. */
  void noRoom() {
    change(Optional.of("the disk is full"));
  }

  /** Reports that the store can write again. */
  void recovered() {
    change(Optional.empty());
  }

  private synchronized void change(Optional<String> now) {
    if (damaged && now.isEmpty()) {
      return;
    }
    boolean news = failure.isPresent() != now.isPresent();
    failure = now;
    if (news) {
      if (now.isPresent()) {
        LOG.error("no events are stored or acknowledged, their agents keep them: {}", now.get());
      } else {
        LOG.info("events are stored again");
      }
      guard.run("store", () -> listener.accept(now));
    }
  }
}
