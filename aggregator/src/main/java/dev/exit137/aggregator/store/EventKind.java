package dev.exit137.aggregator.store;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.Parser;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.SummarizeEventsRequest.Dimension;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * A kind of event, and what the store must know about it. All kinds share one table, one order of rows, one retention
 * and the same tokens. A new kind needs a constant here, a service, and a case in the ingest.
 *
 * @param <E> the message of such an event
 */
public final class EventKind<E extends Message> {
    /** Kills by the kernel. One OOM may have killed several processes. */
    public static final EventKind<OomKillEvent> OOM = new EventKind<>(
            0,
            "oom",
            OomKillEvent.parser(),
            EventFacts::of,
            "incident",
            Set.of(
                    Dimension.NAMESPACE,
                    Dimension.POD,
                    Dimension.CONTAINER,
                    Dimension.NODE,
                    Dimension.UNIT,
                    Dimension.LIMIT_OWNER,
                    Dimension.SCOPE),
            UnaryOperator.identity(),
            UnaryOperator.identity());

    /** Ends of containers, services and processes. Each end by the OOM killer counts as one OOM. */
    public static final EventKind<ExitEvent> EXIT = new EventKind<>(
            1,
            "exit",
            ExitEvent.parser(),
            EventFacts::of,
            "CASE cause WHEN " + ExitEvent.Cause.OOM_KILL_VALUE + " THEN row_id END",
            Set.of(
                    Dimension.NAMESPACE,
                    Dimension.POD,
                    Dimension.CONTAINER,
                    Dimension.NODE,
                    Dimension.UNIT,
                    Dimension.LIMIT_OWNER,
                    Dimension.CAUSE,
                    Dimension.EXIT_CODE),
            PersonalFields::withoutSender,
            PersonalFields::withoutExpired);

    /** All kinds. */
    static final List<EventKind<?>> ALL = List.of(OOM, EXIT);

    private final int number;
    private final String name;
    private final Parser<E> parser;
    private final Function<E, EventFacts> facts;
    private final String oom;
    private final Set<Dimension> dimensions;
    private final UnaryOperator<E> withoutSender;
    private final UnaryOperator<E> withoutExpired;

    private EventKind(
            int number,
            String name,
            Parser<E> parser,
            Function<E, EventFacts> facts,
            String oom,
            Set<Dimension> dimensions,
            UnaryOperator<E> withoutSender,
            UnaryOperator<E> withoutExpired) {
        this.number = number;
        this.name = name;
        this.parser = parser;
        this.facts = facts;
        this.oom = oom;
        this.dimensions = dimensions;
        this.withoutSender = withoutSender;
        this.withoutExpired = withoutExpired;
    }

    /** The number in the store's column {@code kind}. */
    int number() {
        return number;
    }

    /** The name in metrics. */
    String name() {
        return name;
    }

    /** Reads an event from its bytes. */
    E parse(byte[] body) throws InvalidProtocolBufferException {
        return parser.parseFrom(body);
    }

    /** Returns what the store's columns hold of an event. */
    public EventFacts facts(E event) {
        return facts.apply(event);
    }

    /** SQL: a value that is the same for all events of one OOM; NULL for an event of no OOM. */
    String oom() {
        return oom;
    }

    /** The fields by which these events can be grouped. */
    public Set<Dimension> dimensions() {
        return dimensions;
    }

    /** Returns the event as those may read it who may not read who sent the signal. */
    public E withoutSender(E event) {
        return withoutSender.apply(event);
    }

    /** Returns the event without the personal fields that are kept for a shorter time; the same event if it has none. */
    E withoutExpired(E event) {
        return withoutExpired.apply(event);
    }

    /** The same for the bytes of an event; the same bytes if there is nothing to remove. */
    byte[] withoutExpired(byte[] body) throws InvalidProtocolBufferException {
        E event = parse(body);
        E without = withoutExpired(event);
        return without.equals(event) ? body : without.toByteArray();
    }

    @Override
    public String toString() {
        return name;
    }
}
