package dev.exit137.agent.delivery;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.exit137.agent.FaultyDisk;
import dev.exit137.agent.delivery.spool.Spool;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.state.v1.SpoolSegment;
import dev.exit137.proto.v1.EventAck;
import dev.exit137.proto.v1.Losses;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutboxTest {
    private final FaultyDisk disk = new FaultyDisk();
    private final Guard guard = new Guard();

    @TempDir
    Path temp;

    private Path directory;
    private Spool spool;
    private Outbox outbox;

    @BeforeEach
    void open() {
        directory = disk.path(temp.resolve("spool"));
        restart(List.of());
    }

    @AfterEach
    void close() {
        spool.close();
    }

    private void restart(List<SpoolSegment> remembered) {
        if (spool != null) {
            spool.close();
        }
        spool = new Spool(directory, Spool.MIN_BYTES);
        outbox = new Outbox(spool, remembered, Losses.getDefaultInstance(), guard);
        outbox.flush();
        outbox.resendAll();
    }

    private static OomKillEvent event(String id, int revision) {
        return OomKillEvent.newBuilder().setEventId(id).setRevision(revision).build();
    }

    private static OomKillEvent named(String id, int revision) {
        return event(id, revision).toBuilder().setUnit("named").build();
    }

    private void acknowledge(String id, int revision) {
        outbox.acknowledge(List.of(
                EventAck.newBuilder().setEventId(id).setRevision(revision).build()));
    }

    private List<OomKillEvent> unsent() throws IOException {
        List<OomKillEvent> events = new ArrayList<>();
        for (KeptEvent next = outbox.pollUnsent(); next != null; next = outbox.pollUnsent()) {
            events.add(OomKillEvent.parseFrom(next.event));
        }
        return events;
    }

    private Losses losses() {
        Losses.Builder losses = Losses.newBuilder();
        outbox.addLosses(losses);
        return losses.build();
    }

    @Test
    void nothingIsSentBeforeItIsOnTheDisk() throws IOException {
        outbox.add(event("a", 1));
        assertThat(outbox.isDurable()).isFalse();
        assertThat(unsent()).isEmpty();
        outbox.flush();
        assertThat(outbox.isDurable()).isTrue();
        assertThat(unsent()).containsExactly(event("a", 1));
    }

    @Test
    void whatIsNotAcknowledgedIsSentAgainOnTheNextStream() throws IOException {
        outbox.add(event("a", 1));
        outbox.add(event("b", 1));
        outbox.flush();
        assertThat(unsent()).containsExactly(event("a", 1), event("b", 1));
        acknowledge("a", 1);
        outbox.resendAll();
        assertThat(unsent()).containsExactly(event("b", 1));
    }

    @Test
    void anAcknowledgementOfAnOlderRevisionDoesNotForgetTheNewer() throws IOException {
        outbox.add(event("a", 1));
        outbox.flush();
        assertThat(unsent()).hasSize(1);
        outbox.add(event("a", 2));
        outbox.flush();
        acknowledge("a", 1);
        assertThat(unsent()).containsExactly(event("a", 2));
        acknowledge("a", 2);
        assertThat(outbox.size()).isZero();
    }

    @Test
    void aNewerRevisionReplacesWhatWasNotSentYetEvenOnTheDisk() throws IOException {
        outbox.add(event("a", 1));
        outbox.flush();
        outbox.add(event("a", 2));
        outbox.flush();
        assertThat(unsent()).containsExactly(event("a", 2));
        acknowledge("a", 2);
        assertThat(outbox.size()).isZero();
    }

    @Test
    void aKillThatIsReadAgainAfterARestartDoesNotReplaceWhatIsKnownBetter() throws IOException {
        outbox.add(event("a", 2));
        outbox.flush();
        restart(outbox.toRemember());
        outbox.add(event("a", 1));
        outbox.add(event("a", 2));
        outbox.flush();
        assertThat(unsent()).containsExactly(event("a", 2));
        assertThat(outbox.size()).isEqualTo(1);
    }

    @Test
    void anEventThatWaitsForItsNameIsNotSentAndNotLost() throws IOException {
        outbox.hold(event("a", 1));
        outbox.flush();
        outbox.resendAll();
        assertThat(unsent()).isEmpty();
        restart(outbox.toRemember());
        assertThat(unsent()).containsExactly(event("a", 1));
    }

    @Test
    void anEventThatGotItsNameInTimeIsSentOnceWithTheName() throws IOException {
        outbox.hold(event("a", 1));
        outbox.flush();
        outbox.add(named("a", 1));
        outbox.flush();
        assertThat(unsent()).containsExactly(named("a", 1));
        restart(outbox.toRemember());
        assertThat(unsent()).containsExactly(named("a", 1));
        acknowledge("a", 1);
        assertThat(outbox.size()).isZero();
    }

    @Test
    void anEventThatGotNoNameIsSentAsItIs() throws IOException {
        outbox.hold(event("a", 1));
        outbox.flush();
        outbox.release("a");
        assertThat(unsent()).containsExactly(event("a", 1));
    }

    @Test
    void ofManyEventsOnlyAWindowIsInMemoryAndAllAreSentInTheirOrder() throws IOException {
        List<OomKillEvent> all = new ArrayList<>();
        for (int i = 0; i < 1000; i++) {
            all.add(event("event " + i, 1));
        }
        all.forEach(outbox::add);
        outbox.flush();
        restart(outbox.toRemember());
        List<OomKillEvent> sent = new ArrayList<>();
        while (outbox.size() > 0) {
            List<OomKillEvent> window = unsent();
            assertThat(window).hasSizeBetween(1, 256);
            sent.addAll(window);
            window.forEach(event -> acknowledge(event.getEventId(), 1));
        }
        assertThat(sent).isEqualTo(all);
    }

    @Test
    void whatTheDiskDoesNotTakeIsSentFromMemoryAndWrittenOnceItDoes() throws IOException {
        Files.writeString(directory, "in the way");
        outbox.add(event("a", 1));
        outbox.add(event("b", 1));
        outbox.flush();
        assertThat(outbox.isDurable()).isFalse();
        assertThat(outbox.pendingBytes()).isPositive();
        assertThat(outbox.status().getState()).isEqualTo(State.UNAVAILABLE);
        assertThat(outbox.status().getDetail()).contains("2 events are in memory only");
        assertThat(unsent()).containsExactly(event("a", 1), event("b", 1));
        acknowledge("a", 1);

        Files.delete(directory);
        outbox.flush();
        assertThat(outbox.isDurable()).isTrue();
        assertThat(outbox.status().getState()).isEqualTo(State.ACTIVE);
        assertThat(unsent()).isEmpty();
        restart(outbox.toRemember());
        assertThat(unsent()).containsExactly(event("b", 1));
    }

    @Test
    void whatTheSpoolFailsUnexpectedlyToTakeIsSentFromMemoryAndCounted() throws IOException {
        disk.fail(path -> path.contains("/spool"), () -> new InternalError("a fault in a memory access"));
        outbox.add(event("a", 1));
        outbox.flush();
        assertThat(unsent()).containsExactly(event("a", 1));
        assertThat(outbox.status().getState()).isEqualTo(State.UNAVAILABLE);
        assertThat(guard.counts()).containsEntry("spool", 1L);

        disk.mend();
        outbox.flush();
        assertThat(outbox.isDurable()).isTrue();
        restart(outbox.toRemember());
        assertThat(unsent()).containsExactly(event("a", 1));
    }

    @Test
    void aSpoolThatCannotBeLookedThroughAtTheStartTakesNewEvents() throws IOException {
        outbox.add(event("a", 1));
        outbox.flush();
        disk.fail(path -> path.contains("/spool"), () -> new IllegalStateException("no spool"));
        restart(outbox.toRemember());
        assertThat(guard.counts()).containsKey("spool");

        disk.mend();
        outbox.add(event("b", 1));
        outbox.flush();
        assertThat(unsent()).contains(event("b", 1));
        assertThat(outbox.isDurable()).isTrue();
    }

    @Test
    void aRecordThatIsNoEventIsCounted() throws IOException {
        spool.append(List.of(ByteString.copyFromUtf8("no event")));
        outbox.flush();
        assertThat(unsent()).isEmpty();
        assertThat(losses().getSpoolEventsDamaged()).isEqualTo(1);
        assertThat(outbox.size()).isZero();
    }

    @Test
    void anEventThatIsSetAsideWhenItIsPolledMakesRoomForTheNext() {
        outbox.add(event("a", 1));
        outbox.add(event("b", 1));
        outbox.flush();
        KeptEvent unreadable = outbox.pollUnsent();
        outbox.setAside(unreadable);
        assertThat(outbox.inFlight()).isZero();
        assertThat(outbox.pollUnsent().id()).isEqualTo("b");
        assertThat(losses().getSpoolEventsDamaged()).isEqualTo(1);
        outbox.resendAll();
        assertThat(outbox.pollUnsent().id()).isEqualTo("b");
        assertThat(outbox.size()).isEqualTo(1);
    }

    @Test
    void whenTheSpoolIsFullTheOldestGoAndAreCountedAndTheRestIsSent() throws IOException {
        String large = "x".repeat(10_000);
        int count = 600;
        for (int i = 0; i < count; i++) {
            outbox.add(event("event " + i, 1).toBuilder().setUnit(large).build());
            outbox.flush();
        }
        long dropped = losses().getSpoolEventsDropped();
        assertThat(dropped).isPositive();
        assertThat(outbox.status().getState()).isEqualTo(State.DEGRADED);
        List<String> sent = new ArrayList<>();
        while (outbox.size() > 0) {
            for (OomKillEvent event : unsent()) {
                sent.add(event.getEventId());
                acknowledge(event.getEventId(), 1);
            }
        }
        assertThat(sent)
                .hasSize((int) (count - dropped))
                .endsWith("event " + (count - 1))
                .doesNotHaveDuplicates();
        assertThat(outbox.status().getState()).isEqualTo(State.ACTIVE);
    }

    // ---- events that the aggregator refuses

    private List<String> sentUntilQuiet() throws IOException {
        return unsent().stream().map(OomKillEvent::getEventId).toList();
    }

    @Test
    void theEventThatIsRefusedIsFoundAndSetAsideAndTheOthersGoThrough() throws IOException {
        for (String id : List.of("a", "bad", "c", "d")) {
            outbox.add(event(id, 1));
        }
        outbox.flush();
        assertThat(sentUntilQuiet()).containsExactly("a", "bad", "c", "d");
        acknowledge("a", 1);
        assertThat(outbox.refused(true)).isEmpty();

        outbox.resendAll();
        assertThat(outbox.isCareful()).isTrue();
        assertThat(sentUntilQuiet()).containsExactly("bad");
        assertThat(outbox.refused(true)).as("nothing was taken since").isEmpty();

        outbox.resendAll();
        assertThat(sentUntilQuiet()).containsExactly("c", "d");
        acknowledge("c", 1);
        assertThat(sentUntilQuiet()).as("goes alone").isEmpty();
        acknowledge("d", 1);
        assertThat(sentUntilQuiet()).containsExactly("bad");
        assertThat(outbox.refused(true)).get().extracting(KeptEvent::id).isEqualTo("bad");
        assertThat(losses().getEventsRefused()).isEqualTo(1);
        assertThat(outbox.size()).isZero();
    }

    @Test
    void anAggregatorThatRefusesEverythingCostsNoEvent() throws IOException {
        refuseEverything(300, 500);
        assertThat(outbox.size()).isEqualTo(300);
        assertThat(losses().getEventsRefused()).isZero();
    }

    @Test
    void moreRefusedEventsThanTheWindowHoldsDoNotKeepTheOthersOut() throws IOException {
        refuseEverything(300, 650);
        outbox.add(event("good", 1));
        outbox.flush();
        outbox.resendAll();
        assertThat(sentUntilQuiet()).containsExactly("good");
    }

    private void refuseEverything(int events, int times) throws IOException {
        for (int i = 0; i < events; i++) {
            outbox.add(event("bad " + i, 1));
        }
        outbox.flush();
        for (int i = 0; i < times; i++) {
            assertThat(sentUntilQuiet()).isNotEmpty();
            assertThat(outbox.refused(true)).isEmpty();
            outbox.resendAll();
        }
    }

    @Test
    void anEventThatIsRefusedForNowIsSentAfterAllOthersAndNeverGivenUp() throws IOException {
        outbox.add(event("a", 1));
        outbox.flush();
        assertThat(sentUntilQuiet()).containsExactly("a");
        assertThat(outbox.refused(false)).isEmpty();
        outbox.add(event("b", 1));
        outbox.flush();
        outbox.resendAll();
        assertThat(sentUntilQuiet()).containsExactly("b");
        acknowledge("b", 1);
        assertThat(sentUntilQuiet()).containsExactly("a");
        assertThat(outbox.refused(false)).isEmpty();
        outbox.resendAll();
        assertThat(sentUntilQuiet()).containsExactly("a");
        acknowledge("a", 1);
        assertThat(outbox.size()).isZero();
    }
}
