package dev.exit137.agent.trace;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What may be wrong with a trace: nothing is invented, nothing throws, and what is lost is counted. */
class TraceDefectsTest {
    private static final int PAGE_BYTES = 4096;
    private static final int HEADER_BYTES = 16;
    private static final int COMMIT = 8;
    private static final long SEED = 137;

    @TempDir
    Path directory;

    private FakeTracefs tracefs;
    private TraceSource source;

    @BeforeEach
    void make() {
        tracefs = new FakeTracefs(directory);
        source = tracefs.source();
    }

    @AfterEach
    void close() {
        source.close();
    }

    private void read(byte[] pages) {
        source.open();
        tracefs.pages(pages);
        tracefs.nowNanos = FakeTracefs.AFTER_NANOS;
        source.readAll();
    }

    private static ByteBuffer page(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
    }

    @Test
    void ofATruncatedPageTheWholeRecordsCount() {
        byte[] twice = FakeTracefs.recorded("twice");
        read(Arrays.copyOf(twice, HEADER_BYTES + 2 * 144 - 8));
        // The second stack is not whole: its signal goes out without a path.
        assertThat(tracefs.signals).hasSize(2);
        assertThat(tracefs.signals.get(0).kernelPath()).isNotEmpty();
        assertThat(tracefs.signals.get(1).kernelPath()).isEmpty();
        assertThat(source.recordsMalformed()).isEqualTo(1);
    }

    @Test
    void aPageOfLessThanAHeaderIsMalformed() {
        read(new byte[HEADER_BYTES - 1]);
        assertThat(source.recordsMalformed()).isEqualTo(1);
    }

    @Test
    void garbageIsSurvivedAndTheNextPageIsRead() {
        SplittableRandom random = new SplittableRandom(SEED);
        for (int round = 0; round < 100; round++) {
            byte[] garbage = new byte[PAGE_BYTES];
            random.nextBytes(garbage);
            tracefs.pages(garbage);
        }
        read(FakeTracefs.recorded("kill"));
        assertThat(source.recordsMalformed()).isPositive();
        assertThat(tracefs.signals.getLast().victimComm()).isEqualTo("v-kill");
        assertThat(tracefs.guard.counts()).isEmpty();
    }

    @Test
    void everyFlippedByteOfARealPageIsSurvived() {
        byte[] kill = FakeTracefs.recorded("kill");
        for (int at = 0; at < HEADER_BYTES + 144; at++) {
            byte[] broken = kill.clone();
            broken[at] ^= (byte) 0xff;
            tracefs.pages(broken);
        }
        read(FakeTracefs.recorded("tkill"));
        source.readAll();
        assertThat(tracefs.signals.getLast().victimComm()).isEqualTo("v-tkill");
        assertThat(tracefs.guard.counts()).isEmpty();
    }

    /** A page with the signal of the recording, and one with its stack. */
    private static byte[][] split(byte[] whole) {
        int stackAt = HEADER_BYTES + 52;
        byte[] first = whole.clone();
        page(first).putLong(COMMIT, stackAt - HEADER_BYTES);
        byte[] second = new byte[PAGE_BYTES];
        System.arraycopy(whole, 0, second, 0, HEADER_BYTES);
        System.arraycopy(whole, stackAt, second, HEADER_BYTES, 144 - 52);
        page(second).putLong(COMMIT, 144 - 52);
        return new byte[][] {first, second};
    }

    @Test
    void aStackInTheNextPageBelongsToTheSignalBefore() {
        byte[][] pages = split(FakeTracefs.recorded("kill"));
        source.open();
        tracefs.pages(pages[0]);
        tracefs.nowNanos = page(pages[0]).getLong(0) + 1000;
        source.readAll();
        assertThat(tracefs.signals).as("before its stack").isEmpty();
        tracefs.pages(pages[1]);
        source.readAll();
        assertThat(tracefs.signals)
                .singleElement()
                .satisfies(signal -> assertThat(signal.kernelPath()).contains("__x64_sys_kill"));
    }

    @Test
    void aStackBehindAGapMayBeThatOfALostSignal() {
        byte[][] pages = split(FakeTracefs.recorded("kill"));
        page(pages[1]).putLong(COMMIT, 144 - 52 | 1L << 31);
        source.open();
        tracefs.pages(pages[0]);
        tracefs.pages(pages[1]);
        tracefs.nowNanos = page(pages[0]).getLong(0) + 1000;
        source.readAll();
        assertThat(tracefs.signals)
                .singleElement()
                .satisfies(signal -> assertThat(signal.kernelPath()).isEmpty());
    }

    @Test
    void aSignalWhoseStackDoesNotComeIsNotHeldBack() {
        byte[] alone = FakeTracefs.recorded("kill");
        page(alone).putLong(COMMIT, 52);
        read(alone);
        assertThat(tracefs.signals)
                .singleElement()
                .satisfies(signal -> assertThat(signal.kernelPath()).isEmpty());
    }

    @Test
    void theStackOfAnotherContextIsNotTheSignals() {
        byte[] kill = FakeTracefs.recorded("kill");
        // common_flags of the stack's record: as if an interrupt had written it
        kill[HEADER_BYTES + 52 + 4 + 2] |= 0x08;
        read(kill);
        assertThat(tracefs.signals)
                .singleElement()
                .satisfies(signal -> assertThat(signal.kernelPath()).isEmpty());
    }

    @Test
    void anOverrunIsCountedOnceAndOnlyGrows() {
        tracefs.lost(5);
        source = tracefs.source(3, handle -> null);
        source.open();
        assertThat(source.recordsLost())
                .as("the predecessor's last checkpoint had 3 of these 5")
                .isEqualTo(5);
        tracefs.lost(7);
        source.tick();
        source.tick();
        assertThat(source.recordsLost()).isEqualTo(7);
        tracefs.lost(0);
        source.tick();
        assertThat(source.recordsLost()).isEqualTo(7);
    }

    @Test
    void aSinkThatFailsLosesOneSignal() {
        tracefs.defect = () -> {
            if (tracefs.signals.size() == 1) {
                throw new IllegalStateException("the first one");
            }
        };
        read(FakeTracefs.recorded("twice"));
        assertThat(tracefs.signals).hasSize(2);
        assertThat(tracefs.guard.counts()).containsEntry("trace", 1L);
    }

    private SourceStatus statusAfterOpen() {
        source.open();
        return source.status();
    }

    @Test
    void whatWorksIsActive() {
        SourceStatus status = statusAfterOpen();
        assertThat(status.getState()).as(status.getDetail()).isEqualTo(State.ACTIVE);
        assertThat(status.getName()).isEqualTo("trace");
        assertThat(source.since()).isNotNull();
    }

    @Test
    void aFormatThatIsNotUnderstoodIsNoSource() throws IOException {
        Path format = tracefs.events().resolve("signal/signal_generate/format");
        FakeTracefs.write(
                format, Files.readString(format).replace("int sig;\toffset:8;\tsize:4", "int sig;\toffset:8;\tsize:8"));
        SourceStatus status = statusAfterOpen();
        assertThat(status.getState()).isEqualTo(State.UNAVAILABLE);
        assertThat(status.getDetail()).contains("signal_generate/format", "`sig` has 8 bytes");
        assertThat(source.isOpen()).isFalse();
        source.readAll();
        source.tick();
        assertThat(tracefs.signals).isEmpty();
    }

    @Test
    void aFormatWithoutAFieldIsNoSource() {
        FakeTracefs.write(tracefs.events().resolve("header_page"), "\tfield: u64 timestamp;\toffset:0;\tsize:8;\n");
        assertThat(statusAfterOpen().getDetail()).contains("header_page", "no field `data`");
    }

    @Test
    void hiddenSymbolsAreSaid() {
        FakeTracefs.write(
                tracefs.procRoot().resolve("kallsyms"), "0000000000000000 T _stext\n0000000000000000 T _text\n");
        SourceStatus status = statusAfterOpen();
        assertThat(status.getState()).isEqualTo(State.DEGRADED);
        assertThat(status.getDetail()).contains("kptr_restrict");
        read(FakeTracefs.recorded("kill"));
        assertThat(tracefs.signals.getFirst().kernelPath()).isEmpty();
    }

    @Test
    void aProcfsOfAnotherNamespaceIsSaidAndNotRead() {
        dev.exit137.agent.PidNamespace.NODE_IN_A_CONTAINER.of(tracefs.procRoot());
        tracefs.process(21572, 1, "other", "0::/other\n");
        SourceStatus status = statusAfterOpen();
        assertThat(status.getState()).isEqualTo(State.DEGRADED);
        assertThat(status.getDetail()).contains("--proc-root");
        read(FakeTracefs.recorded("kill"));
        assertThat(tracefs.signals.getFirst().sender().getComm()).isEmpty();
    }

    @Test
    void whatEpollDoesNotTakeIsReadByTheTick() {
        source.open();
        source.follow();
        assertThat(source.status().getDetail()).contains("once a second");
        tracefs.pages(FakeTracefs.recorded("kill"));
        tracefs.nowNanos = FakeTracefs.AFTER_NANOS;
        source.tick();
        assertThat(tracefs.signals).hasSize(1);
    }

    @Test
    void aSourceThatIsNotThereYetIsOpenedLater() throws IOException {
        Path online = directory.resolve("online");
        Files.delete(online);
        assertThat(statusAfterOpen().getState()).isEqualTo(State.UNAVAILABLE);
        FakeTracefs.write(online, "0\n");
        for (int tick = 0; tick < 60; tick++) {
            source.tick();
        }
        assertThat(source.status().getState()).isEqualTo(State.ACTIVE);
    }

    @Test
    void aProcessorThatComesLaterIsReadToo() {
        source.open();
        Path later = tracefs.instance().resolve("per_cpu/cpu3");
        FakeTracefs.write(later.resolve("stats"), "overrun: 2\n");
        FakeTracefs.write(later.resolve("trace_pipe_raw"), "");
        FakeTracefs.write(directory.resolve("online"), "0,2-3\n");
        for (int i = 0; i <= TraceSource.SLOW_TICKS; i++) {
            source.tick();
        }
        assertThat(source.recordsLost()).isEqualTo(2);
        assertThat(source.status().getDetail())
                .contains("processor 2", "ENOENT")
                .doesNotContain("processor 3");
    }

    @Test
    void theInstanceOfALivingAgentIsKeptAndThatOfADeadOneGoes() throws IOException {
        Path living = tracefs.root().resolve("instances/exit137-0123456789abcdef");
        Path dead = tracefs.root().resolve("instances/exit137-fedcba9876543210");
        Path foreign = tracefs.root().resolve("instances/another-tool");
        for (Path instance : new Path[] {living, dead, foreign}) {
            Files.createDirectory(instance);
        }
        Files.setLastModifiedTime(living, FileTime.from(FakeTracefs.WALL.minusSeconds(500)));
        Files.setLastModifiedTime(dead, FileTime.from(FakeTracefs.WALL.minusSeconds(700)));
        Files.setLastModifiedTime(foreign, FileTime.from(FakeTracefs.WALL.minusSeconds(700)));
        Files.setLastModifiedTime(tracefs.instance(), FileTime.from(FakeTracefs.WALL.minusSeconds(7000)));
        source.open();
        assertThat(dead).doesNotExist();
        assertThat(living).exists();
        assertThat(foreign).exists();
        assertThat(Files.getLastModifiedTime(tracefs.instance()).toInstant()).isEqualTo(FakeTracefs.WALL);
    }
}
