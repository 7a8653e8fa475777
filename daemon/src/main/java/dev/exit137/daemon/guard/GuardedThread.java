package dev.exit137.daemon.guard;

import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;

/**
 * One thread with a queue and timers. Its runnable tasks run under the guard: an exception ends neither the thread nor
 * the timer of the task. A {@code Callable} passes its exception to the caller through its future. Shutdown ends the
 * timers.
 */
public final class GuardedThread extends ScheduledThreadPoolExecutor {
    private final String place;
    private final Guard guard;

    /**
     * @param factory creates the thread at the first task
     * @param place of the tasks in the guard's counts
     */
    public GuardedThread(ThreadFactory factory, String place, Guard guard) {
        super(1, factory);
        this.place = place;
        this.guard = guard;
        setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
        setRemoveOnCancelPolicy(true);
    }

    // execute() and submit() call this method, too.
    @Override
    public ScheduledFuture<?> schedule(Runnable task, long delay, TimeUnit unit) {
        return super.schedule(guard.guarded(place, task), delay, unit);
    }

    @Override
    public ScheduledFuture<?> scheduleAtFixedRate(Runnable task, long initialDelay, long period, TimeUnit unit) {
        return super.scheduleAtFixedRate(guard.guarded(place, task), initialDelay, period, unit);
    }

    @Override
    public ScheduledFuture<?> scheduleWithFixedDelay(Runnable task, long initialDelay, long delay, TimeUnit unit) {
        return super.scheduleWithFixedDelay(guard.guarded(place, task), initialDelay, delay, unit);
    }
}
