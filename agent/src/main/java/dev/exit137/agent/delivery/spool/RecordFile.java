package dev.exit137.agent.delivery.spool;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The records of one segment, in the format that {@link Spool} draws. There is no empty record: it would look like a
 * part of the file that was never written.
 */
final class RecordFile implements AutoCloseable {
    static final int HEADER_BYTES = 2 * Integer.BYTES;

    /**
     * A record that was read.
     *
     * @param offset of its first byte
     * @param end offset of the byte behind it
     */
    record Found(long offset, ByteString payload, long end) {}

    private final FileChannel channel;
    private final ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES);
    private final CRC32C crc = new CRC32C();

    private RecordFile(FileChannel channel) {
        this.channel = channel;
    }

    static RecordFile toRead(Path file) throws IOException {
        return new RecordFile(FileChannel.open(file, StandardOpenOption.READ));
    }

    static RecordFile create(Path file) throws IOException {
        return new RecordFile(FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE));
    }

    /** Opens a segment to append at {@code end}, and cuts off the bytes behind it: no record there was written whole. */
    static RecordFile toAppend(Path file, long end) throws IOException {
        RecordFile records = new RecordFile(FileChannel.open(file, StandardOpenOption.WRITE));
        records.cut(end);
        return records;
    }

    void cut(long end) throws IOException {
        channel.truncate(end);
    }

    /** Writes a record at an offset, without waiting for the disk. @return the offset behind it */
    long write(long offset, ByteString payload) throws IOException {
        header.clear()
                .putInt(payload.size())
                .putInt(checksum(payload.size(), payload))
                .flip();
        long end = writeFully(header, offset);
        return writeFully(payload.asReadOnlyByteBuffer(), end);
    }

    private long writeFully(ByteBuffer bytes, long offset) throws IOException {
        long end = offset;
        while (bytes.hasRemaining()) {
            end += channel.write(bytes, end);
        }
        return end;
    }

    /** Waits until all written bytes are on the disk. */
    void sync() throws IOException {
        channel.force(false);
    }

    /**
     * Returns the first whole record at or after an offset; null if there is none before {@code end}. A record with a
     * wrong checksum and a plausible length is skipped, so that the records behind it are not lost.
     */
    @Nullable
    Found read(long offset, long end) throws IOException {
        for (long at = offset; at + HEADER_BYTES < end; ) {
            header.clear();
            if (!readFully(header, at)) {
                return null;
            }
            int length = header.getInt(0);
            if (length <= 0 || length > end - at - HEADER_BYTES) {
                return null;
            }
            byte[] payload = new byte[length];
            if (!readFully(ByteBuffer.wrap(payload), at + HEADER_BYTES)) {
                return null;
            }
            ByteString bytes = UnsafeByteOperations.unsafeWrap(payload);
            long next = at + HEADER_BYTES + length;
            if (checksum(length, bytes) == header.getInt(Integer.BYTES)) {
                return new Found(at, bytes, next);
            }
            at = next;
        }
        return null;
    }

    private boolean readFully(ByteBuffer bytes, long offset) throws IOException {
        long at = offset;
        while (bytes.hasRemaining()) {
            int count = channel.read(bytes, at);
            if (count < 0) {
                return false;
            }
            at += count;
        }
        return true;
    }

    private int checksum(int length, ByteString payload) {
        crc.reset();
        crc.update(ByteBuffer.allocate(Integer.BYTES).putInt(0, length));
        crc.update(payload.asReadOnlyByteBuffer());
        return (int) crc.getValue();
    }

    long size() throws IOException {
        return channel.size();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
