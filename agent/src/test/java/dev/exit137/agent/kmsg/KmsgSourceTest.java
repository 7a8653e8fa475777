package dev.exit137.agent.kmsg;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.exit137.agent.FakeKmsg;
import dev.exit137.agent.Terminal;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.oomreport.parse.KmsgRecordFlyweight;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a device may do to its reader, and a reader's own defects: none ends the reading, or keeps a processor busy. */
class KmsgSourceTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    /** More than the source takes without a record. */
    private static final int MANY = 1000;

    @TempDir
    Path directory;

    private final Guard guard = new Guard();
    private final List<Long> sequences = new ArrayList<>();
    private final List<String> failures = new ArrayList<>();
    private LongConsumer defect = sequence -> {};
    private KmsgSource source;

    @AfterEach
    void close() {
        source.close();
    }

    private final KmsgSource.Sink sink = new KmsgSource.Sink() {
        @Override
        public boolean hasRoom() {
            return true;
        }

        @Override
        public void onRecord(KmsgRecordFlyweight kernelRecord) {
            defect.accept(kernelRecord.sequence());
            sequences.add(kernelRecord.sequence());
        }

        @Override
        public void onGap() {}

        @Override
        public void onPaused() {}

        @Override
        public void onFailed(String reason) {
            failures.add(reason);
        }
    };

    private void open(Path path, long resumeSequence) throws IOException {
        source = new KmsgSource(path, resumeSequence, sink, guard);
        source.open();
    }

    @Test
    void anErrorThatReadIsNotExpectedToGiveClosesTheDeviceAndSaysWhich() throws IOException {
        open(Path.of(Terminal.DEVICE), 0);
        source.drain();
        assertThat(source.isOpen()).as("while there is nothing to read").isTrue();
        Terminal.hangUp(source.fd().intValue());
        source.drain();
        source.drain();

        assertThat(failures).singleElement().asString().contains(Terminal.DEVICE, "EIO");
        assertThat(source.isOpen()).isFalse();
    }

    @Test
    void aDeviceThatWakesItsReaderAgainAndAgainForNothingIsClosed() throws IOException {
        try (FakeKmsg kmsg = new FakeKmsg(directory.resolve("kmsg"))) {
            open(kmsg.path(), 0);
            wakeUp(MANY);
        }

        assertThat(failures).singleElement().asString().contains("no records");
        assertThat(source.isOpen()).isFalse();
    }

    @Test
    void wakeUpsForNothingNowAndThenAreNoneInARow() throws IOException {
        try (FakeKmsg kmsg = new FakeKmsg(directory.resolve("kmsg"))) {
            open(kmsg.path(), 0);
            for (int i = 0; i < MANY; i++) {
                kmsg.record("an ordinary line");
                wakeUp(2);
            }
        }

        assertThat(failures).isEmpty();
        assertThat(sequences).hasSize(MANY);
    }

    private void wakeUp(int times) {
        for (int i = 0; i < times; i++) {
            source.handle(null, null);
        }
    }

    @Test
    void aDeviceThatNeverEndsAndHasNoRecordsIsClosed() throws IOException {
        open(Path.of("/dev/zero"), 0);
        assertTimeoutPreemptively(PATIENCE, source::drain);

        assertThat(failures).singleElement().asString().contains("no records");
        assertThat(source.malformed()).isPositive();
    }

    @Test
    void aRecordThatIsNoneIsCountedOnceThoughTheRingIsReadAgainAndHidesNoNewRecord() throws IOException {
        try (FakeKmsg kmsg = new FakeKmsg(directory.resolve("kmsg"))) {
            open(kmsg.path(), 0);
            kmsg.record("0");
            kmsg.malformedRecord();
            kmsg.record("2");
            source.drain();
            source.open();
            kmsg.replay();
            kmsg.record("3");
            source.drain();

            assertThat(sequences).containsExactly(0L, 2L, 3L);
            assertThat(source.malformed()).isEqualTo(1);
            assertThat(source.overwritten()).isZero();
            assertThat(source.nextSequence()).isEqualTo(kmsg.nextSequence());
        }
    }

    @Test
    void aRecordThatCannotBeHandledIsCountedAndTheNextIsHandled() throws IOException {
        try (FakeKmsg kmsg = new FakeKmsg(directory.resolve("kmsg"))) {
            open(kmsg.path(), 0);
            defect = sequence -> {
                if (sequence == 1) {
                    throw new StackOverflowError();
                }
            };
            for (String text : List.of("0", "1", "2")) {
                kmsg.record(text);
            }
            wakeUp(1);
        }

        assertThat(sequences).containsExactly(0L, 2L);
        assertThat(source.malformed()).isEqualTo(1);
        assertThat(guard.counts()).isEqualTo(Map.of("kmsg", 1L));
    }
}
