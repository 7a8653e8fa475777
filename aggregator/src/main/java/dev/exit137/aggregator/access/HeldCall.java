package dev.exit137.aggregator.access;

import io.grpc.ServerCall;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * What happens to a call before it may begin, kept until it does. No message is among it, as none was asked for yet.
 * gRPC's thread and the one that lets the call begin meet here.
 */
final class HeldCall<Q> extends ServerCall.Listener<Q> {
  // Guarded by this.
  private final List<Consumer<ServerCall.Listener<Q>>> kept = new ArrayList<>();
  private ServerCall.Listener<Q> begun;

  /** Hands over what was kept, and from now on everything; once, on any thread. */
  synchronized void begin(ServerCall.Listener<Q> listener) {
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
