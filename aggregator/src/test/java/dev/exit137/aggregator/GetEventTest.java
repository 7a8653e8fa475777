package dev.exit137.aggregator;

import static dev.exit137.aggregator.Fixture.event;
import static dev.exit137.aggregator.Fixture.failureOf;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.aggregator.query.ResumeTokenHeader;
import dev.exit137.proto.v1.GetEventRequest;
import dev.exit137.proto.v1.ListNodesRequest;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.WatchEventsRequest;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GetEventTest {
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
    void anEventComesBackAsItWasSentWithFieldsOfNewerAgentsToo() throws IOException {
        byte[] newerField = {(byte) 0xc2, 0x3e, 0x01, 'x'}; // field 1000, one byte
        OomKillEvent sent = event(1).toBuilder().mergeFrom(newerField).build();
        fixture.publish(sent);

        assertThat(get("event-1", "")).isEqualTo(sent);
        assertThat(get("event-1", "").getUnknownFields().hasField(1000)).isTrue();
    }

    @Test
    void aWatchGoesOnWhereTheEventWasRead() {
        fixture.publish(event(1), event(2));
        var headers = new AtomicReference<Metadata>();
        var consumer = fixture.consumer()
                .withInterceptors(MetadataUtils.newCaptureMetadataInterceptor(headers, new AtomicReference<>()));
        consumer.getEvent(GetEventRequest.newBuilder().setEventId("event-1").build());
        String token = headers.get().get(ResumeTokenHeader.RESUME_TOKEN);

        OomKillEvent betterKnown = event(1).toBuilder().setRevision(2).build();
        fixture.publish(betterKnown);

        WatchEventsRequest fromThere =
                WatchEventsRequest.newBuilder().setResumeToken(token).build();
        assertThat(fixture.watch(fromThere).nextEvent().getEvent()).isEqualTo(betterKnown);
        consumer.listNodes(ListNodesRequest.getDefaultInstance());
        assertThat(headers.get().get(ResumeTokenHeader.RESUME_TOKEN))
                .isNotEmpty()
                .isNotEqualTo(token);
    }

    @Test
    void anUnknownIdIsNotFound() {
        Status status = failureOf(() -> get("nothing", ""));

        assertThat(status.getCode()).isEqualTo(Status.Code.NOT_FOUND);
        assertThat(status.getDescription()).contains("nothing");
    }

    @Test
    void anIdThatNodesOnOneKernelShareNeedsTheNodesName() {
        OomKillEvent onB = event(1).toBuilder()
                .setNode(Node.newBuilder().setName("node-b"))
                .build();
        fixture.publish(event(1), onB);

        Status status = failureOf(() -> get("event-1", ""));

        assertThat(status.getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
        assertThat(status.getDescription()).contains("node-a, node-b");
        assertThat(get("event-1", "node-b")).isEqualTo(onB);
        assertThat(failureOf(() -> get("event-1", "node-c")).getCode()).isEqualTo(Status.Code.NOT_FOUND);
    }

    @Test
    void anEmptyIdIsAnInvalidArgument() {
        Status status = failureOf(() -> get("", ""));

        assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(status.getDescription()).startsWith("event_id: ");
    }

    private OomKillEvent get(String id, String node) {
        return fixture.consumer()
                .getEvent(GetEventRequest.newBuilder()
                        .setEventId(id)
                        .setNode(node)
                        .build());
    }
}
