package dev.exit137.agent.delivery.spool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.exit137.agent.FaultyDisk;
import dev.exit137.proto.state.v1.SpoolSegment;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is in the spool is still there after whatever end, or its loss is counted; and nothing else is. */
class SpoolTest {
    private final FaultyDisk disk = new FaultyDisk();

    @TempDir
    Path temp;

    private Path directory;
    private Spool spool;

    @BeforeEach
    void open() {
        directory = disk.path(temp.resolve("spool"));
        spool = reopened(List.of());
    }

    @AfterEach
    void close() {
        spool.close();
    }

    private Spool reopened(List<SpoolSegment> remembered) {
        if (spool != null) {
            spool.close();
        }
        spool = new Spool(directory, Spool.MIN_BYTES);
        spool.recover(remembered, item -> {});
        return spool;
    }

    private void append(String... payloads) {
        try {
            spool.append(Stream.of(payloads).map(ByteString::copyFromUtf8).toList());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private List<Spool.Item> readAll() {
        List<Spool.Item> items = new ArrayList<>();
        for (Spool.Item item = spool.next(); item != null; item = spool.next()) {
            items.add(item);
        }
        return items;
    }

    private List<String> payloads() {
        return readAll().stream().map(item -> item.payload().toStringUtf8()).toList();
    }

    private Path onlyFile() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.toList().getFirst();
        }
    }

    @Test
    void whatIsNotDoneIsReadAgainAfterACrashAndWhatIsDoneIsNot() {
        append("a", "b", "c", "d");
        List<Spool.Item> items = readAll();
        spool.done(items.get(0).position());
        spool.done(items.get(1).position());
        List<SpoolSegment> remembered = spool.toRemember();
        append("e");

        reopened(remembered);
        assertThat(payloads()).containsExactly("c", "d", "e");
        assertThat(spool.damaged()).isZero();
    }

    /** The position is that of the oldest: what is done behind it is read again, which its reader must bear. */
    @Test
    void aRecordThatIsNotDoneIsNotSkippedBecauseLaterOnesAre() {
        append("a", "b");
        spool.done(readAll().get(1).position());
        reopened(spool.toRemember());
        assertThat(payloads()).containsExactly("a", "b");
        assertThat(spool.damaged()).isZero();
    }

    @Test
    void aFileWhoseRecordsAreAllDoneIsDeletedButNotTheOneThatIsAppendedTo() throws IOException {
        String large = "x".repeat(300 << 10);
        append(large);
        append("b");
        readAll().forEach(item -> spool.done(item.position()));
        assertThat(spool.remaining()).isZero();
        spool.deleteDone();
        assertThat(onlyFile().getFileName()).hasToString("0000000000000002.v1");
        append("c");
        reopened(spool.toRemember());
        assertThat(payloads()).containsExactly("c");
    }

    @Test
    void aRecordThatWasNotWrittenWholeIsCutOffAndTheNextRunAppendsBehindTheLastWholeOne() throws IOException {
        append("first", "second");
        List<SpoolSegment> remembered = spool.toRemember();
        append("third");
        byte[] whole = Files.readAllBytes(onlyFile());
        int taken = (int) remembered.getFirst().getLength();
        for (int length = taken; length < whole.length; length++) {
            spool.close();
            Files.write(onlyFile(), Arrays.copyOf(whole, length));
            reopened(remembered);
            append("fourth");
            reopened(spool.toRemember());
            assertThat(payloads()).as("of a file cut to %d bytes", length).containsExactly("first", "second", "fourth");
            assertThat(spool.damaged()).isZero();
        }
    }

    @Test
    void aTailOfZerosIsNoRecord() throws IOException {
        append("a");
        byte[] whole = Files.readAllBytes(onlyFile());
        Files.write(onlyFile(), Arrays.copyOf(whole, whole.length + 4096));
        reopened(List.of());
        assertThat(payloads()).containsExactly("a");
    }

    @Test
    void whicheverByteIsFlippedNoRecordIsWrongAndEveryLostOneIsCounted() throws IOException {
        List<String> written = IntStream.range(0, 8)
                .mapToObj(i -> "event " + i + " ".repeat(i))
                .toList();
        append(written.toArray(String[]::new));
        List<SpoolSegment> remembered = spool.toRemember();
        Path file = onlyFile();
        byte[] whole = Files.readAllBytes(file);
        for (int i = 0; i < whole.length; i++) {
            byte[] flipped = whole.clone();
            flipped[i] ^= (byte) (1 << i % 8);
            spool.close();
            Files.write(file, flipped);
            reopened(remembered);
            List<String> read = payloads();
            assertThat(written).as("with byte %d flipped", i).containsAll(read);
            assertThat(read).doesNotHaveDuplicates().isNotEqualTo(written);
            assertThat(spool.damaged()).isEqualTo(written.size() - read.size());
        }
    }

    @Test
    void aDamagedPayloadCostsNoOtherRecordAndIsCountedOnce() throws IOException {
        append("aaaa", "bbbb", "cccc");
        byte[] bytes = Files.readAllBytes(onlyFile());
        bytes[RecordFile.HEADER_BYTES + 4 + RecordFile.HEADER_BYTES] ^= 1;
        List<SpoolSegment> remembered = spool.toRemember();
        spool.close();
        Files.write(onlyFile(), bytes);

        reopened(remembered);
        assertThat(payloads()).containsExactly("aaaa", "cccc");
        assertThat(spool.damaged()).isEqualTo(1);
        reopened(spool.toRemember());
        assertThat(payloads()).containsExactly("aaaa", "cccc");
        assertThat(spool.damaged()).isZero();
    }

    @Test
    void aDiskThatForgetsARecordWhileTheAgentRunsIsCounted() throws IOException {
        append("aaaa", "bbbb");
        byte[] bytes = Files.readAllBytes(onlyFile());
        bytes[RecordFile.HEADER_BYTES + 4 + RecordFile.HEADER_BYTES] ^= 1;
        Files.write(onlyFile(), bytes);
        assertThat(payloads()).containsExactly("aaaa");
        assertThat(spool.damaged()).isEqualTo(1);
        append("cccc");
        assertThat(payloads()).containsExactly("cccc");
    }

    @Test
    void aFileThatSomeoneDeletedIsCountedAndTheOthersAreRead() throws IOException {
        append("x".repeat(300 << 10));
        append("b");
        List<SpoolSegment> remembered = spool.toRemember();
        Files.delete(directory.resolve("0000000000000001.v1"));
        reopened(remembered);
        assertThat(payloads()).containsExactly("b");
        assertThat(spool.damaged()).isEqualTo(1);
    }

    @Test
    void aFileThatCannotBeReadAtTheStartIsCountedOnceAndItsRecordsComeWithTheNextRun() {
        append("a", "b");
        List<SpoolSegment> remembered = spool.toRemember();
        disk.fail(path -> path.endsWith(".v1"), () -> new IOException("Input/output error"));
        reopened(remembered);
        assertThat(payloads()).isEmpty();
        assertThat(spool.damaged()).isEqualTo(2);

        disk.mend();
        append("c");
        spool.deleteDone();
        reopened(spool.toRemember());
        assertThat(payloads()).containsExactly("a", "b", "c");
        assertThat(spool.damaged()).isZero();
    }

    @Test
    void aPlaceBeforeTheBeginningOfAFileDoesNotKeepTheSpoolFromBeingRead() {
        append("a", "b");
        reopened(List.of(SpoolSegment.newBuilder()
                .setId(1)
                .setOffset(-1)
                .setRecords(2)
                .setLength(20)
                .build()));
        assertThat(payloads()).containsExactly("a", "b");
    }

    @Test
    void recordsThatAreWrittenToAFileThatSomeoneDeletedAreNotTakenForSafe() throws IOException {
        append("a");
        readAll();
        Files.delete(onlyFile());
        Files.delete(directory);
        assertThatThrownBy(() -> spool.append(List.of(ByteString.copyFromUtf8("b"))))
                .isInstanceOf(IOException.class);
        append("b");
        assertThat(payloads()).containsExactly("b");
        reopened(List.of());
        assertThat(payloads()).containsExactly("b");
    }

    @Test
    void aFileWhoseWritingEndsUnexpectedlyIsNotWrittenToAgain() throws IOException {
        AtomicBoolean made = new AtomicBoolean();
        // It is made, and that its directory has it cannot be made sure of.
        disk.fail(
                path -> {
                    made.compareAndSet(false, path.endsWith(".v1"));
                    return made.get() && path.equals(directory.toString());
                },
                () -> new IllegalStateException("no sync"));
        assertThatThrownBy(() -> spool.append(List.of(ByteString.copyFromUtf8("a"))))
                .isInstanceOf(IllegalStateException.class);
        disk.mend();
        assertThat(payloads()).isEmpty();
        append("b");
        assertThat(onlyFile().getFileName()).hasToString("0000000000000002.v1");
        reopened(spool.toRemember());
        assertThat(payloads()).containsExactly("b");
    }

    @Test
    void withoutACheckpointEverythingIsReadAgain() {
        append("a", "b");
        readAll().forEach(item -> spool.done(item.position()));
        reopened(List.of());
        assertThat(payloads()).containsExactly("a", "b");
        assertThat(spool.damaged()).isZero();
    }

    @Test
    void aCheckpointThatSaysMoreThanTheFileHoldsLosesOnlyThat() {
        append("a");
        reopened(List.of(SpoolSegment.newBuilder()
                .setId(1)
                .setOffset(1 << 20)
                .setRecords(3)
                .setLength(2 << 20)
                .build()));
        assertThat(payloads()).isEmpty();
        assertThat(spool.damaged()).isEqualTo(3);
        append("b");
        reopened(spool.toRemember());
        assertThat(payloads()).containsExactly("b");
    }

    @Test
    void whenItIsFullTheOldestFilesGoAndSayHowManyRecordsWentWithThem() {
        String payload = "x".repeat(100 << 10);
        int dropped = 0;
        int appended = 0;
        while (appended < 100) {
            while (spool.isFullFor(Spool.sizeOf(ByteString.copyFromUtf8(payload)))) {
                dropped += spool.dropOldest().records();
            }
            append(payload);
            appended++;
            assertThat(spool.bytes()).isLessThanOrEqualTo(Spool.MIN_BYTES);
        }
        assertThat(dropped).isPositive();
        assertThat(spool.remaining()).isEqualTo(appended - dropped);
        reopened(spool.toRemember());
        assertThat(payloads()).hasSize(appended - dropped);
        assertThat(spool.damaged()).isZero();
    }

    @Test
    void aDirectoryThatCannotBeMadeIsSaidAndUsedOnceItCanBe() throws IOException {
        Files.writeString(directory, "in the way");
        assertThatThrownBy(() -> spool.append(List.of(ByteString.copyFromUtf8("a"))))
                .isInstanceOf(IOException.class);
        assertThat(spool.remaining()).isZero();
        Files.delete(directory);
        append("b");
        assertThat(payloads()).containsExactly("b");
    }
}
