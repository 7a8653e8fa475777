package dev.exit137.aggregator;

import static dev.exit137.aggregator.Fixture.event;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.DescriptorValidationException;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Parser;
import com.google.protobuf.Timestamp;
import com.google.protobuf.UnknownFieldSet;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.GetEventRequest;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.ListNodesRequest;
import dev.exit137.proto.v1.NodeState;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.Victim;
import dev.exit137.proto.v1.WatchEventsRequest;
import dev.exit137.proto.v1.WatchEventsResponse;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Programs of different versions with each other. resources/recorded holds the contract of commit 51411e9 (schema.desc,
 * of protoc), what its agent sent while kernel 6.18 killed, and what its aggregator made of that for a watch.
 */
class VersionSkewTest {
    private static final WatchEventsRequest FROM_THE_BEGINNING = WatchEventsRequest.newBuilder()
            .setFromTime(Timestamp.getDefaultInstance())
            .build();
    private static final UnknownFieldSet NEWER = UnknownFieldSet.newBuilder()
            .addField(
                    12_345,
                    UnknownFieldSet.Field.newBuilder()
                            .addLengthDelimited(ByteString.copyFromUtf8("of the future"))
                            .build())
            .build();

    private static final List<PublishEventsRequest> OLD_REQUESTS =
            recorded("publish-events-requests.bin", PublishEventsRequest.parser());
    private static final List<OomKillEvent> OLD_EVENTS = OLD_REQUESTS.stream()
            .filter(PublishEventsRequest::hasEvent)
            .map(PublishEventsRequest::getEvent)
            .toList();
    private static final List<WatchEventsResponse> OLD_RESPONSES =
            recorded("watch-events-responses.bin", WatchEventsResponse.parser());

    @TempDir
    private Path dataDir;

    private Fixture fixture;

    @BeforeEach
    void start() throws IOException {
        fixture = new Fixture(dataDir);
    }

    @AfterEach
    void stop() {
        fixture.close();
    }

    @Test
    void anOlderAgentIsAcknowledgedAndWhatItSentIsHandedOnAsItWas() {
        publishTheOldRequests();

        assertThat(fixture.consumer()
                        .listEvents(ListEventsRequest.getDefaultInstance())
                        .getEventsList()
                        .reversed())
                .isEqualTo(OLD_EVENTS);
        assertThat(fixture.consumer()
                        .listNodes(ListNodesRequest.getDefaultInstance())
                        .getNodesList())
                .extracting(NodeState::getStatus)
                .containsExactly(OLD_REQUESTS.getLast().getStatus());
    }

    @Test
    void anOlderConsumerReadsFromThisAggregatorWhatItReadFromItsOwn() throws Exception {
        publishTheOldRequests();
        Descriptor oldResponse =
                oldSchema().get("exit137/v1/oom_events.proto").findMessageTypeByName("WatchEventsResponse");
        Fixture.Watch watch = fixture.watch(FROM_THE_BEGINNING);

        for (WatchEventsResponse ofItsOwn : OLD_RESPONSES.subList(1, 4)) {
            Object expected = eventOf(DynamicMessage.parseFrom(oldResponse, ofItsOwn.toByteString()));
            Object read = eventOf(
                    DynamicMessage.parseFrom(oldResponse, watch.nextEvent().toByteString()));
            assertThat(read).isEqualTo(expected);
        }
    }

    @Test
    void aConsumerOfThisVersionReadsAnOlderAggregator() {
        assertThat(OLD_RESPONSES.getFirst().hasHeartbeat()).isTrue();
        assertThat(OLD_RESPONSES.stream()
                        .skip(1)
                        .map(WatchEventsResponse::getEvent)
                        .toList())
                .isEqualTo(OLD_EVENTS);
        assertThat(OLD_RESPONSES)
                .noneMatch(response -> response.getResumeToken().isEmpty());
    }

    @Test
    void whatANewerAgentSaysReachesTheConsumersThatKnowIt() {
        OomKillEvent.Builder newer = event(1).toBuilder().setUnknownFields(NEWER);
        newer.setOutcomeValue(77).setScopeValue(78).addEvidenceValue(79);
        newer.setVictim(Victim.newBuilder().setPid(7).setUnknownFields(NEWER));
        AgentStatus status = AgentStatus.newBuilder()
                .setNode(event(1).getNode())
                .setUnknownFields(NEWER)
                .build();
        TestAgent agent = fixture.agent();
        agent.send(status);
        agent.send(newer.build());
        agent.nextAck();
        agent.finish();

        GetEventRequest byId =
                GetEventRequest.newBuilder().setEventId("event-1").build();
        assertThat(fixture.consumer().getEvent(byId)).isEqualTo(newer.build());
        assertThat(fixture.watch(FROM_THE_BEGINNING).nextEvent().getEvent()).isEqualTo(newer.build());
        assertThat(fixture.consumer()
                        .listNodes(ListNodesRequest.getDefaultInstance())
                        .getNodes(0)
                        .getStatus())
                .isEqualTo(status);
    }

    @Test
    void aKindOfMessageThatANewerAgentSendsIsPassedOver() {
        TestAgent agent = fixture.agent();
        agent.send(PublishEventsRequest.newBuilder().setUnknownFields(NEWER).build());
        agent.send(event(1));

        assertThat(agent.nextAck().getEventId()).isEqualTo("event-1");
        assertThat(agent.finish().isOk()).isTrue();
    }

    @Test
    void whatTheOlderContractSaysStillMeansTheSame() throws Exception {
        Map<String, FileDescriptor> today = new HashMap<>();
        for (Descriptor message : List.of(
                PublishEventsRequest.getDescriptor(),
                WatchEventsResponse.getDescriptor(),
                OomKillEvent.getDescriptor())) {
            today.put(message.getFile().getName(), message.getFile());
            message.getFile().getDependencies().forEach(file -> today.put(file.getName(), file));
        }
        List<String> changed = new ArrayList<>();
        for (FileDescriptor old : oldSchema().values()) {
            if (old.getPackage().equals("exit137.v1")) {
                FileDescriptor now = today.get(old.getName());
                old.getMessageTypes()
                        .forEach(type -> compare(type, now.findMessageTypeByName(type.getName()), changed));
                old.getEnumTypes().forEach(type -> compare(type, now.findEnumTypeByName(type.getName()), changed));
                for (ServiceDescriptor service : old.getServices()) {
                    ServiceDescriptor same = now.findServiceByName(service.getName());
                    service.getMethods().stream()
                            .filter(method -> !method.toProto()
                                    .equals(same.findMethodByName(method.getName())
                                            .toProto()))
                            .forEach(method -> changed.add(method.getFullName()));
                }
            }
        }
        assertThat(changed).isEmpty();
    }

    private static void compare(Descriptor old, Descriptor now, List<String> changed) {
        for (FieldDescriptor field : old.getFields()) {
            FieldDescriptor same = now.findFieldByNumber(field.getNumber());
            if (same == null || !meaning(field).equals(meaning(same))) {
                changed.add(field.getFullName());
            }
        }
        old.getNestedTypes().forEach(type -> compare(type, now.findNestedTypeByName(type.getName()), changed));
        old.getEnumTypes().forEach(type -> compare(type, now.findEnumTypeByName(type.getName()), changed));
    }

    private static void compare(EnumDescriptor old, EnumDescriptor now, List<String> changed) {
        old.getValues().stream()
                .filter(value -> !value.toProto()
                        .equals(now.findValueByNumber(value.getNumber()).toProto()))
                .forEach(value -> changed.add(value.getFullName()));
    }

    private static List<Object> meaning(FieldDescriptor field) {
        var oneof = field.getRealContainingOneof();
        return List.of(
                field.toProto().toBuilder().clearJsonName().clearOneofIndex().build(),
                oneof == null ? "" : oneof.getName());
    }

    private void publishTheOldRequests() {
        TestAgent agent = fixture.agent();
        OLD_REQUESTS.forEach(agent::send);
        for (OomKillEvent event : OLD_EVENTS) {
            assertThat(agent.nextAck().getEventId()).isEqualTo(event.getEventId());
        }
        agent.finish();
    }

    private static Object eventOf(DynamicMessage response) {
        return response.getField(response.getDescriptorForType().findFieldByName("event"));
    }

    /** The older contract's files by their names, those that it imports first. */
    private static Map<String, FileDescriptor> oldSchema() throws IOException, DescriptorValidationException {
        Map<String, FileDescriptor> files = new LinkedHashMap<>();
        try (InputStream schema = VersionSkewTest.class.getResourceAsStream("/recorded/schema.desc")) {
            for (FileDescriptorProto file : FileDescriptorSet.parseFrom(schema).getFileList()) {
                FileDescriptor[] imports =
                        file.getDependencyList().stream().map(files::get).toArray(FileDescriptor[]::new);
                files.put(file.getName(), FileDescriptor.buildFrom(file, imports));
            }
        }
        return files;
    }

    private static <T> List<T> recorded(String name, Parser<T> parser) {
        try (InputStream file = VersionSkewTest.class.getResourceAsStream("/recorded/" + name)) {
            List<T> messages = new ArrayList<>();
            for (T message = parser.parseDelimitedFrom(file);
                    message != null;
                    message = parser.parseDelimitedFrom(file)) {
                messages.add(message);
            }
            return messages;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
