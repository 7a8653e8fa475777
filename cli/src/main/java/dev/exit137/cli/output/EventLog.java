package dev.exit137.cli.output;

import dev.exit137.agent.report.EventSink;
import dev.exit137.cli.terminal.LineWriter;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.proto.v1.OomKillEvent;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Each event of an agent as a line of JSON on stdout, for whatever collects the logs of containers. The agent does not
 * wait for stdout: what it does not take is counted, and the aggregator has it all the same.
 */
public final class EventLog implements EventSink {
  private static final Logger LOG = LoggerFactory.getLogger(EventLog.class);
  /** Of serialized events; some hundreds of the usual size. */
  private static final long ROOM_BYTES = 1 << 20;

  private final LineWriter lines;
  private long droppedBefore;

  public EventLog(Terminal terminal) {
    lines = new LineWriter("event-log", terminal.out(), ROOM_BYTES);
  }

  @Override
  public void add(OomKillEvent event) {
    lines.add(event.getSerializedSize(), () -> JsonLines.line(event));
    long dropped = dropped();
    if (dropped > droppedBefore) {
      droppedBefore = dropped;
      LOG.warn("stdout does not take the events of --log-events: {} are not there; the aggregator gets them", dropped);
    }
  }

  @Override
  public long dropped() {
    return lines.dropped();
  }

  @Override
  public void close() {
    lines.close();
  }
}
