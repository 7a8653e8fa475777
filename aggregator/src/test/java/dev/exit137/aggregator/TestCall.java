package dev.exit137.aggregator;

import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** A call without a client, for interceptors. */
public final class TestCall<Q, P> extends ServerCall<Q, P> {
    private final MethodDescriptor<Q, P> method;
    private final CompletableFuture<Status> closed = new CompletableFuture<>();
    private volatile boolean cancelled;

    public TestCall(MethodDescriptor<Q, P> method) {
        this.method = method;
    }

    /** How the server closed it; null while it has not. */
    public Status closed() {
        return closed.getNow(null);
    }

    /** The same, waited for. */
    public Status awaitClosed() {
        return closed.copy().orTimeout(60, TimeUnit.SECONDS).join();
    }

    /** The client has gone. */
    public void cancel() {
        cancelled = true;
    }

    @Override
    public void close(Status status, Metadata trailers) {
        if (!closed.complete(status)) {
            throw new IllegalStateException("call already closed");
        }
    }

    @Override
    public boolean isCancelled() {
        return cancelled;
    }

    @Override
    public MethodDescriptor<Q, P> getMethodDescriptor() {
        return method;
    }

    @Override
    public void request(int messages) {}

    @Override
    public void sendHeaders(Metadata headers) {}

    @Override
    public void sendMessage(P message) {}
}
