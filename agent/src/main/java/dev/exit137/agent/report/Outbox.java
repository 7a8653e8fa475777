package dev.exit137.agent.report;

import com.google.protobuf.ByteString;
import dev.exit137.proto.v1.EventAck;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Events that no aggregator has acknowledged, the newest revision of each, in the order in which they came. They are
 * kept as the bytes that are sent: an event as an object takes several times the memory. Agent-worker thread.
 */
final class Outbox {
  private record Waiting(int revision, ByteString event) {}

  private final Map<String, Waiting> byId = new LinkedHashMap<>();
  private final ArrayDeque<String> unsent = new ArrayDeque<>();
  private final Set<String> held = new HashSet<>();
  private long bytes;

  /** Keeps an event, unless it waits already in this or a higher revision. */
  void add(OomKillEvent event) {
    String id = event.getEventId();
    Waiting before = byId.get(id);
    if (before != null && before.revision() >= event.getRevision() && !held.contains(id)) {
      return;
    }
    put(event);
    held.remove(id);
    unsent.addLast(id);
  }

  /** Keeps an event, but does not send it before it is added. */
  void hold(OomKillEvent event) {
    put(event);
    held.add(event.getEventId());
  }

  private void put(OomKillEvent event) {
    Waiting waiting = new Waiting(event.getRevision(), event.toByteString());
    Waiting before = byId.put(event.getEventId(), waiting);
    bytes += waiting.event().size() - (before == null ? 0 : before.event().size());
  }

  /** The next event that was not sent on this stream, or null. */
  ByteString pollUnsent() {
    while (!unsent.isEmpty()) {
      Waiting waiting = byId.get(unsent.pollFirst());
      if (waiting != null) {
        return waiting.event();
      }
    }
    return null;
  }

  /** A new stream: what is not acknowledged is sent again. */
  void resendAll() {
    unsent.clear();
    byId.keySet().stream().filter(id -> !held.contains(id)).forEach(unsent::addLast);
  }

  /** An event is durable elsewhere; it is forgotten unless a higher revision still waits. */
  void acknowledge(EventAck ack) {
    Waiting waiting = byId.get(ack.getEventId());
    if (waiting != null && waiting.revision() <= ack.getRevision()) {
      byId.remove(ack.getEventId());
      bytes -= waiting.event().size();
    }
  }

  /** Serialized events, oldest first. */
  List<ByteString> unacknowledged() {
    return byId.values().stream().map(Waiting::event).toList();
  }

  /** Number of events. */
  int size() {
    return byId.size();
  }

  /** Their serialized size. */
  long bytes() {
    return bytes;
  }
}
