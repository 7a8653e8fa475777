package dev.exit137.agent.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.EventAck;
import dev.exit137.proto.v1.OomKillEvent;
import org.junit.jupiter.api.Test;

class OutboxTest {
  private final Outbox outbox = new Outbox();

  private static OomKillEvent event(String id, int revision) {
    return OomKillEvent.newBuilder().setEventId(id).setRevision(revision).build();
  }

  private static EventAck ack(String id, int revision) {
    return EventAck.newBuilder().setEventId(id).setRevision(revision).build();
  }

  @Test
  void whatIsNotAcknowledgedIsSentAgainOnTheNextStream() {
    outbox.add(event("a", 1));
    outbox.add(event("b", 1));
    assertThat(outbox.pollUnsent()).isEqualTo(event("a", 1).toByteString());
    assertThat(outbox.pollUnsent()).isEqualTo(event("b", 1).toByteString());
    assertThat(outbox.pollUnsent()).isNull();
    outbox.acknowledge(ack("a", 1));
    outbox.resendAll();
    assertThat(outbox.pollUnsent()).isEqualTo(event("b", 1).toByteString());
    assertThat(outbox.pollUnsent()).isNull();
  }

  @Test
  void anAcknowledgementOfAnOlderRevisionDoesNotForgetTheNewer() {
    outbox.add(event("a", 1));
    outbox.add(event("a", 2));
    outbox.acknowledge(ack("a", 1));
    assertThat(outbox.unacknowledged()).containsExactly(event("a", 2).toByteString());
    outbox.acknowledge(ack("a", 2));
    assertThat(outbox.size()).isZero();
    assertThat(outbox.bytes()).isZero();
  }

  @Test
  void aKillThatIsReadAgainAfterARestartDoesNotReplaceWhatIsKnownBetter() {
    outbox.add(event("a", 2));
    outbox.add(event("a", 1));
    assertThat(outbox.unacknowledged()).containsExactly(event("a", 2).toByteString());
  }
}
