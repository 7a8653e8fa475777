package dev.exit137.aggregator.access;

import io.grpc.ServerCall;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the events of a call until it may begin. gRPC's thread and the one that lets the call begin meet here.
 *
 * <p>A message cannot be kept: gRPC takes its bytes back when {@code onMessage} returns. None comes before the handler has
 * asked for one, which it does while it begins; gRPC's thread waits for the end of that.
 */
final class HeldCall<Q> extends ServerCall.Listener<Q> {
  // Guarded by this.
  private final List<Consumer<ServerCall.Listener<Q>>> kept = new ArrayList<>();
  private ServerCall.@Nullable Listener<Q> begun;

  /** Begins the call and hands over what was kept, and from now on everything; once, on any thread. */
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
