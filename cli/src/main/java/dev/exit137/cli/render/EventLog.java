package dev.exit137.cli.render;

import dev.exit137.agent.delivery.EventSink;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.log.LineWriter;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Prints each event of an agent as a line of JSON on stdout, for collectors of container logs. A blocked stdout delays
 * the agent by one second, once. Events that it does not accept are counted, and the aggregator gets them nevertheless.
 */
public final class EventLog implements EventSink {
    private static final Logger LOG = LoggerFactory.getLogger(EventLog.class);
    /** Size of serialized events; in memory they are several times larger. */
    private static final long ROOM_BYTES = 256 << 10;

    private static final long STANDSTILL_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final LineWriter lines;
    private long droppedBefore;

    /** @param guard the guard of this process */
    public EventLog(Terminal terminal, Guard guard) {
        lines = new LineWriter("event-log", terminal.out(), ROOM_BYTES, guard);
    }

    @Override
    public void add(OomKillEvent event) {
        lines.addPatiently(event.getSerializedSize(), () -> JsonLines.line(event), STANDSTILL_NANOS);
        logDropped();
    }

    private void logDropped() {
        long dropped = dropped();
        if (dropped > droppedBefore) {
            droppedBefore = dropped;
            LOG.warn("{} events of --log-events are not on stdout; the aggregator gets them", dropped);
        }
    }

    @Override
    public long dropped() {
        return lines.dropped();
    }

    @Override
    public void close() {
        lines.close();
        logDropped();
    }
}
