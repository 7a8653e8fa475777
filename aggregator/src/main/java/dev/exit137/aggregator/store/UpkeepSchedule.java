package dev.exit137.aggregator.store;

import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fits the store's upkeep in between its writes, on the same thread, and brings the store back after a failure of the
 * disk has passed.
 */
final class UpkeepSchedule {
  private static final Logger log = LoggerFactory.getLogger(UpkeepSchedule.class);

  private static final long RETRY_SECONDS = 2;

  private final ScheduledExecutorService thread;
  private final StoreUpkeep upkeep;
  private final WriteState state;
  private final DiskReserve reserve;
  private final LongSupplier lastRowId;

  // Only the thread.
  private boolean stepping;

  UpkeepSchedule(
      ScheduledExecutorService thread,
      StoreUpkeep upkeep,
      WriteState state,
      DiskReserve reserve,
      LongSupplier lastRowId) {
    this.thread = thread;
    this.upkeep = upkeep;
    this.state = state;
    this.reserve = reserve;
    this.lastRowId = lastRowId;
  }

  void start(Duration interval) {
    if (!reserve.make()) {
      state.noRoom();
    }
    thread.scheduleWithFixedDelay(() -> attempt(this::begin), 0, interval.toMillis(), TimeUnit.MILLISECONDS);
    thread.scheduleWithFixedDelay(() -> attempt(this::recover), RETRY_SECONDS, RETRY_SECONDS, TimeUnit.SECONDS);
  }

  /** To be called on the thread after each batch of writes. */
  void afterWriting(long bytes) {
    if (state.failure().isEmpty()) {
      attempt(() -> upkeep.makeRoom(bytes));
    }
  }

  private void begin() throws SQLException {
    if (state.mayPass()) {
      keepUpOnTheReserve();
    } else if (state.failure().isEmpty() && !stepping) {
      upkeep.begin(lastRowId.getAsLong());
      step();
    }
  }

  // One step, then whoever waits; the next step comes behind them.
  private void step() throws SQLException {
    stepping = false;
    if (state.failure().isEmpty() && upkeep.step() && !thread.isShutdown()) {
      stepping = true;
      thread.execute(() -> attempt(this::step));
    }
  }

  /** What has become too old can go though the disk is full, and may be the room that is missing. */
  private void keepUpOnTheReserve() throws SQLException {
    reserve.release();
    try {
      upkeep.begin(lastRowId.getAsLong());
      while (!thread.isShutdown() && upkeep.step()) {}
      upkeep.emptyLog();
    } finally {
      reserve.make();
    }
  }

  private void recover() throws SQLException {
    if (state.mayPass() && reserve.hasRoomBeside()) {
      upkeep.tryWriting();
      if (reserve.make()) {
        state.recovered();
      }
    }
  }

  private interface Work {
    void run() throws SQLException;
  }

  private void attempt(Work work) {
    try {
      work.run();
    } catch (SQLException | RuntimeException e) {
      state.note(e);
      if (state.failure().isEmpty()) {
        log.error("the store's upkeep fails", e);
      }
    }
  }
}
