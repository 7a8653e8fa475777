package dev.exit137.agent.container;

import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Reads the lines of a log file as it grows. It survives a rotation, by name (the old file is read to its end first) and by
 * copy and truncation (what was written and cut between two reads is lost). One thread.
 */
final class LogFile implements Closeable {
    /** Of a file that is there already, only the end is read. */
    static final int MAX_OLD_BYTES = 4 << 20;
    /** The most that one call reads: the thread has other work. */
    private static final int MAX_READ_BYTES = 4 << 20;
    /** A longer line cannot be one that says how a container ends. */
    static final int MAX_LINE_BYTES = 8 << 10;

    private final Path path;
    private final Consumer<String> lines;
    private final ByteBuffer buffer = ByteBuffer.allocate(16 << 10);
    private final ByteArrayOutputStream line = new ByteArrayOutputStream();
    private @Nullable FileChannel channel;
    private @Nullable Object key;
    private long position;
    /** The rest of a line that is too long, or whose begin was not read, is left out. */
    private boolean skipping;

    private long tooLong;
    private long truncations;

    /** @param lines receives each line, without its end */
    LogFile(Path path, Consumer<String> lines) {
        this.path = path;
        this.lines = lines;
    }

    /**
     * Reads what has been written since the last call, or, at first, the end of the file.
     *
     * @throws IOException if the file cannot be read, or is not there; the next call tries again
     */
    void read() throws IOException {
        if (channel == null) {
            open(true);
        }
        int left = MAX_READ_BYTES;
        left -= readTo(left);
        while (left > 0 && isReplaced()) {
            close();
            line.reset();
            skipping = false;
            open(false);
            left -= readTo(left);
        }
    }

    private void open(boolean atEnd) throws IOException {
        FileChannel opened = FileChannel.open(path, StandardOpenOption.READ);
        channel = opened;
        // Of the open file, not of the name, which may be another file by now.
        key = Files.readAttributes(path, BasicFileAttributes.class).fileKey();
        position = atEnd ? Math.max(0, opened.size() - MAX_OLD_BYTES) : 0;
        skipping = position > 0;
    }

    /** Returns whether the name is another file now. A file that is away for a moment is still the old one. */
    private boolean isReplaced() throws IOException {
        try {
            return !Objects.equals(
                    key, Files.readAttributes(path, BasicFileAttributes.class).fileKey());
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    private int readTo(int most) throws IOException {
        FileChannel open = Objects.requireNonNull(channel);
        if (open.size() < position) {
            truncations++;
            position = 0;
            line.reset();
            skipping = false;
        }
        int all = 0;
        while (all < most) {
            buffer.clear();
            int count = open.read(buffer, position);
            if (count <= 0) {
                break;
            }
            position += count;
            all += count;
            accept(buffer.array(), count);
        }
        return all;
    }

    private void accept(byte[] bytes, int count) {
        int begin = 0;
        for (int at = 0; at < count; at++) {
            if (bytes[at] == '\n') {
                add(bytes, begin, at - begin);
                if (!skipping) {
                    lines.accept(line.toString(StandardCharsets.UTF_8));
                }
                line.reset();
                skipping = false;
                begin = at + 1;
            }
        }
        add(bytes, begin, count - begin);
    }

    private void add(byte[] bytes, int begin, int count) {
        if (skipping) {
            return;
        }
        if (line.size() + count > MAX_LINE_BYTES) {
            tooLong++;
            skipping = true;
            line.reset();
            return;
        }
        line.write(bytes, begin, count);
    }

    /** Returns the number of lines that were left out because they are too long. */
    long tooLong() {
        return tooLong;
    }

    /** Returns how often the file was cut while it was read: what came between may be lost. */
    long truncations() {
        return truncations;
    }

    @Override
    public void close() throws IOException {
        FileChannel open = channel;
        channel = null;
        if (open != null) {
            open.close();
        }
    }
}
