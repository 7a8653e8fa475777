package dev.exit137.nativetest;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import dev.exit137.proto.v1.NodeState;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.function.BinaryOperator;
import java.util.function.Function;
import java.util.stream.Collectors;

/** The events that a consumer received, in their order, in all revisions. */
record Events(List<OomKillEvent> received) {
    /** Parses JSON Lines. */
    static Events parse(List<String> lines) {
        return new Events(lines.stream()
                .map(line -> parse(line, OomKillEvent.newBuilder()).build())
                .toList());
    }

    static NodeState parseNode(String line) {
        return parse(line, NodeState.newBuilder()).build();
    }

    private static <B extends Message.Builder> B parse(String json, B builder) {
        try {
            JsonFormat.parser().merge(json, builder);
            return builder;
        } catch (InvalidProtocolBufferException e) {
            throw new AssertionError(
                    "not the JSON of a " + builder.getDescriptorForType().getName() + ": " + json, e);
        }
    }

    /** Returns each event in its highest revision. */
    Collection<OomKillEvent> latest() {
        return received.stream()
                .collect(Collectors.toMap(
                        OomKillEvent::getEventId,
                        Function.identity(),
                        BinaryOperator.maxBy(Comparator.comparingInt(OomKillEvent::getRevision))))
                .values();
    }

    /** Returns the highest revisions of the events with this pid as the victim. */
    List<OomKillEvent> ofVictim(int pid) {
        return latest().stream()
                .filter(event -> event.getVictim().hasPid() && event.getVictim().getPid() == pid)
                .toList();
    }
}
