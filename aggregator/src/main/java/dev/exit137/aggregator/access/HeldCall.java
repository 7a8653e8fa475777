package dev.exit137.aggregator.access;

import io.grpc.ServerCall;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the events of a call until the call may begin. The thread of gRPC and the thread that starts the call both use
 * it.
 *
 * <p>A message cannot be kept: gRPC reclaims its bytes when {@code onMessage} returns. No message arrives before the
 * handler requests one, which it does while it starts; the thread of gRPC waits for the end of that start.
 */
final class HeldCall<Q> extends ServerCall.Listener<Q> {
    // Guarded by this.
    private final List<Consumer<ServerCall.Listener<Q>>> kept = new ArrayList<>();
    private ServerCall.@Nullable Listener<Q> begun;

    /** Starts the call, replays the kept events, and passes on all later ones. Called once, on any thread. */
    synchronized void begin(Supplier<ServerCall.Listener<Q>> call) {
        ServerCall.Listener<Q> listener = call.get();
        begun = listener;
        kept.forEach(event -> event.accept(listener));
        kept.clear();
    }

    private synchronized void deliver(Consumer<ServerCall.Listener<Q>> event) {
        if (begun == null) {
            kept.add(event);
        } else {
            event.accept(begun);
        }
    }

    @Override
    public void onMessage(Q message) {
        deliver(listener -> listener.onMessage(message));
    }

    @Override
    public void onHalfClose() {
        deliver(ServerCall.Listener::onHalfClose);
    }

    @Override
    public void onCancel() {
        deliver(ServerCall.Listener::onCancel);
    }

    @Override
    public void onComplete() {
        deliver(ServerCall.Listener::onComplete);
    }

    @Override
    public void onReady() {
        deliver(ServerCall.Listener::onReady);
    }
}
