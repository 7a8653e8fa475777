package dev.exit137.agent.report;

import dev.exit137.proto.v1.EventAck;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Events that no aggregator has acknowledged, the newest revision of each, in the order in which they came. Agent-worker
 * thread.
 */
final class Outbox {
  private final Map<String, OomKillEvent> byId = new LinkedHashMap<>();
  private final ArrayDeque<String> unsent = new ArrayDeque<>();

  /** @return whether the event was not known yet, rather than a revision of one that waits already */
  boolean add(OomKillEvent event) {
    OomKillEvent waiting = byId.get(event.getEventId());
    if (waiting != null && waiting.getRevision() >= event.getRevision()) {
      return false;
    }
    byId.put(event.getEventId(), event);
    unsent.addLast(event.getEventId());
    return waiting == null;
  }

  /** The next event that was not sent on this stream, or null. */
  OomKillEvent pollUnsent() {
    while (!unsent.isEmpty()) {
      OomKillEvent event = byId.get(unsent.pollFirst());
      if (event != null) {
        return event;
      }
    }
    return null;
  }

  /** A new stream: what is not acknowledged is sent again. */
  void resendAll() {
    unsent.clear();
    unsent.addAll(byId.keySet());
  }

  /** @return whether an event is done with; false when a higher revision still waits, or the event is not known */
  boolean acknowledge(EventAck ack) {
    OomKillEvent event = byId.get(ack.getEventId());
    if (event == null || event.getRevision() > ack.getRevision()) {
      return false;
    }
    byId.remove(ack.getEventId());
    return true;
  }

  List<OomKillEvent> unacknowledged() {
    return List.copyOf(byId.values());
  }

  int size() {
    return byId.size();
  }
}
