package dev.exit137.aggregator.ingest;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnknownFieldSet;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import java.io.ByteArrayInputStream;
import org.junit.jupiter.api.Test;

/** What is stored is what was sent, however it was put into bytes. */
class PublishedTest {
    private static final OomKillEvent EVENT = OomKillEvent.newBuilder()
            .setEventId("event-1")
            .setRevision(1)
            .setNode(Node.newBuilder().setName("node-a"))
            .addRecommendations("x".repeat(1000))
            .build();

    @Test
    void anEventKeepsTheFieldsOfALaterVersion() {
        OomKillEvent ofLaterVersion = EVENT.toBuilder()
                .setUnknownFields(UnknownFieldSet.newBuilder()
                        .addField(
                                4000,
                                UnknownFieldSet.Field.newBuilder().addVarint(7).build())
                        .build())
                .build();

        assertThat(published(message(ofLaterVersion)).eventBytes()).isEqualTo(ofLaterVersion.toByteArray());
    }

    @Test
    void anEventInTwoPiecesIsMerged() throws InvalidProtocolBufferException {
        OomKillEvent rest = OomKillEvent.newBuilder().setCgroupPath("/a").build();

        Published published = published(message(EVENT).concat(message(rest)));

        assertThat(OomKillEvent.parseFrom(published.eventBytes()))
                .isEqualTo(EVENT.toBuilder().setCgroupPath("/a").build());
    }

    @Test
    void whatALaterVersionSendsBesideAnEventIsNoPartOfIt() throws InvalidProtocolBufferException {
        ByteString beside = UnknownFieldSet.newBuilder()
                .addField(4000, UnknownFieldSet.Field.newBuilder().addVarint(7).build())
                .build()
                .toByteString();

        for (ByteString bytes : new ByteString[] {message(EVENT).concat(beside), beside.concat(message(EVENT))}) {
            assertThat(OomKillEvent.parseFrom(published(bytes).eventBytes())).isEqualTo(EVENT);
        }
    }

    @Test
    void theBytesOfAnEndAreThoseThatWereSentAlsoWhereAKillStandsBeforeIt() {
        ExitEvent exit =
                ExitEvent.newBuilder().setEventId("exit-1").setRevision(1).build();
        ByteString message =
                PublishEventsRequest.newBuilder().setExit(exit).build().toByteString();

        assertThat(published(message).eventBytes()).isEqualTo(exit.toByteArray());
        assertThat(published(message(EVENT).concat(message)).eventBytes()).isEqualTo(exit.toByteArray());
        assertThat(published(message.concat(message(EVENT))).eventBytes()).isEqualTo(EVENT.toByteArray());
    }

    private static ByteString message(OomKillEvent event) {
        return PublishEventsRequest.newBuilder().setEvent(event).build().toByteString();
    }

    private static Published published(ByteString bytes) {
        return new Published.Marshaller().parse(new ByteArrayInputStream(bytes.toByteArray()));
    }
}
