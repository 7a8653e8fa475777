package dev.exit137.aggregator;

import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;

/** The server's side of a call whose client does just what a test says. */
public final class ManualCall<T> extends ServerCallStreamObserver<T> {
    private static final long PATIENCE_SECONDS = 60;

    private final List<T> sent = new CopyOnWriteArrayList<>();
    private volatile int takes;
    private volatile int requested;
    private volatile boolean cancelled;
    private volatile boolean broken;
    private volatile boolean endless;
    private final CompletableFuture<Status> end = new CompletableFuture<>();
    private Runnable onReady = () -> {};
    private Runnable onCancel = () -> {};

    /** From now on the client takes messages until it has had so many in all. */
    public void takes(int count) {
        takes = count;
        if (isReady()) {
            onReady.run();
        }
    }

    /** The client goes away. */
    public void cancel() {
        cancelled = true;
        onCancel.run();
    }

    /** What was sent to the client. */
    public List<T> sent() {
        return sent;
    }

    /** Waits until at least so many were sent. */
    public void awaitSent(int count) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        synchronized (sent) {
            while (sent.size() < count) {
                long left = deadline - System.nanoTime();
                if (left <= 0) {
                    throw new AssertionError(sent.size() + " messages were sent, and not " + count);
                }
                TimeUnit.NANOSECONDS.timedWait(sent, left);
            }
        }
    }

    /** From now on nothing can be sent. */
    public void breaks() {
        broken = true;
    }

    /** And the call cannot be ended either. */
    public void cannotEnd() {
        endless = true;
    }

    /** How many messages of the client were asked for. */
    public int requested() {
        return requested;
    }

    /** How the server ended the call; null while it has not. */
    public Status end() {
        return end.getNow(null);
    }

    /** The same, waited for. */
    public Status awaitEnd() {
        return end.copy().orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join();
    }

    @Override
    public boolean isReady() {
        return sent.size() < takes;
    }

    @Override
    public void onNext(T message) {
        throwIf(broken);
        synchronized (sent) {
            sent.add(message);
            sent.notifyAll();
        }
    }

    @Override
    public synchronized void request(int count) {
        requested += count;
    }

    @Override
    public boolean isCancelled() {
        return cancelled;
    }

    @Override
    public void setOnReadyHandler(Runnable handler) {
        onReady = handler;
    }

    @Override
    public void setOnCancelHandler(Runnable handler) {
        onCancel = handler;
    }

    @Override
    public void onError(Throwable failure) {
        throwIf(endless);
        end.complete(Status.fromThrowable(failure));
    }

    private static void throwIf(boolean broken) {
        if (broken) {
            throw new IllegalStateException("the call is broken");
        }
    }

    @Override
    public void onCompleted() {
        end.complete(Status.OK);
    }

    @Override
    public void disableAutoRequest() {}

    @Override
    public void disableAutoInboundFlowControl() {}

    @Override
    public void setMessageCompression(boolean enable) {}

    @Override
    public void setCompression(String compression) {}
}
