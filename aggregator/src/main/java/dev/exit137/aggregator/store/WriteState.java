package dev.exit137.aggregator.store;

import dev.exit137.daemon.guard.Guard;
import java.sql.SQLException;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
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
    private volatile @Nullable String failure;
    private volatile boolean damaged;

    /** @param guard catches the exceptions of the listener */
    WriteState(Guard guard) {
        this.guard = guard;
    }

    /** Reports the current state to the listener, and then every change. */
    synchronized void onChange(Consumer<Optional<String>> newListener) {
        listener = newListener;
        listener.accept(failure());
    }

    /** Why nothing can be stored; empty while the store can write. */
    Optional<String> failure() {
        return Optional.ofNullable(failure);
    }

    /** Whether the failure can pass without an administrator. */
    boolean mayPass() {
        return failure != null && !damaged;
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
            case SQLITE_FULL -> change("the disk is full (" + sql.getMessage() + ")");
            case SQLITE_IOERR, SQLITE_READONLY, SQLITE_CANTOPEN ->
                change("the disk does not work (" + sql.getMessage() + ")");
            case SQLITE_CORRUPT, SQLITE_NOTADB -> {
                damaged = true;
                change("the store's file is damaged; stop the aggregator and see to it (" + sql.getMessage() + ")");
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
        change("the disk is full");
    }

    /** Reports that the store can write again. */
    void recovered() {
        change(null);
    }

    private synchronized void change(@Nullable String now) {
        if (damaged && now == null) {
            return;
        }
        boolean news = (failure == null) != (now == null);
        failure = now;
        if (news) {
            if (now != null) {
                LOG.error("no events are stored or acknowledged, their agents keep them: {}", now);
            } else {
                LOG.info("events are stored again");
            }
            guard.run("store", () -> listener.accept(Optional.ofNullable(now)));
        }
    }
}
