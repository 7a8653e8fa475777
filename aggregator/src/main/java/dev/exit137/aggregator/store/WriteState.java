package dev.exit137.aggregator.store;

import dev.exit137.daemon.guard.Guard;
import java.sql.SQLException;
import java.util.Optional;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.sqlite.SQLiteErrorCode;

/**
 * Whether what agents send can be stored, and if not, why: a sentence for people. A full disk and an I/O error pass; a
 * damaged file stays so until somebody has looked after it. Safe for all threads.
 */
final class WriteState {
  private static final Logger LOG = LoggerFactory.getLogger(WriteState.class);

  // Extended codes carry theirs in the lowest byte: https://www.sqlite.org/rescode.html
  private static final int PRIMARY_CODE = 0xff;

  private final Guard guard;
  private Consumer<Optional<String>> listener = failure -> {};
  private volatile Optional<String> failure = Optional.empty();
  private volatile boolean damaged;

  /** @param guard for what a listener throws */
  WriteState(Guard guard) {
    this.guard = guard;
  }

  /** Tells the listener how it is now, and every change. */
  synchronized void onChange(Consumer<Optional<String>> newListener) {
    listener = newListener;
    listener.accept(failure);
  }

  /** Why nothing can be stored; empty while it can. */
  Optional<String> failure() {
    return failure;
  }

  /** Whether it can be stored again without anybody's help. */
  boolean mayPass() {
    return failure.isPresent() && !damaged;
  }

  /**
   * Takes note of a failure, if it is one of the disk or the file, and not of what was to be stored.
   *
   * @return whether it is one of those; every other is a defect
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

  /** The disk has no room left to begin with. */
  void noRoom() {
    change(Optional.of("the disk is full"));
  }

  /** It can be stored again. */
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
