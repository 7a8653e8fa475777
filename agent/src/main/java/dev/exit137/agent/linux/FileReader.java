package dev.exit137.agent.linux;

import java.util.Arrays;

/**
 * Reads small kernel files whole, relative to a directory descriptor, into one reused buffer. A file of a removed
 * cgroup gives ENODEV or ENOENT: the descriptor never leads to a later cgroup at the same path.
 *
 * <p>Owned by one thread. Reading allocates nothing; {@link #copy()} does.
 */
public final class FileReader {
    private final NativeMemory nativeBuffer;
    private final byte[] bytes;
    private int length;

    /** @param capacityBytes the reader reads no more than this of a longer file */
    public FileReader(int capacityBytes) {
        nativeBuffer = Sys.allocate(capacityBytes);
        bytes = new byte[capacityBytes];
    }

    /**
     * Reads a file; its content is valid until the next call.
     *
     * @return bytes read, or -errno
     */
    public int read(int dirFd, NativeMemory name) {
        length = 0;
        int fd = Sys.openAt(dirFd, name, Sys.O_RDONLY | Sys.O_CLOEXEC);
        if (fd < 0) {
            return fd;
        }
        try {
            while (length < bytes.length) {
                int count = Sys.read(fd, nativeBuffer, bytes.length - length);
                if (count < 0) {
                    length = 0;
                    return count;
                }
                if (count == 0) {
                    break;
                }
                nativeBuffer.get(0, bytes, length, count);
                length += count;
            }
            return length;
        } finally {
            Sys.close(fd);
        }
    }

    /**
     * Reads the target of a symbolic link; it is valid until the next call.
     *
     * @return bytes read, or -errno
     */
    public int readLink(int dirFd, NativeMemory name) {
        int count = Sys.readLinkAt(dirFd, name, nativeBuffer);
        length = Math.max(0, count);
        nativeBuffer.get(0, bytes, 0, length);
        return count;
    }

    /** Forgets the last read. */
    void clear() {
        length = 0;
    }

    /** The reader's own buffer: the last read is its first {@link #length()} bytes. */
    byte[] bytes() {
        return bytes;
    }

    int length() {
        return length;
    }

    /** The content of the last read, as a copy. */
    public byte[] copy() {
        return Arrays.copyOf(bytes, length);
    }

    /**
     * The number that follows {@code key} and a space at the start of a line of the last read.
     *
     * @return the number, or -1 when no line begins with the key
     */
    public long valueOf(byte[] key) {
        int lineStart = 0;
        while (lineStart < length) {
            int at = lineStart;
            int matched = 0;
            while (matched < key.length && at < length && bytes[at] == key[matched]) {
                at++;
                matched++;
            }
            if (matched == key.length && at < length && bytes[at] == ' ') {
                return number(at + 1);
            }
            while (at < length && bytes[at] != '\n') {
                at++;
            }
            lineStart = at + 1;
        }
        return -1;
    }

    /**
     * The decimal number that follows {@code key} and white space at the start of a line of the last read, as in
     * {@code status} of proc(5).
     *
     * @return the number, or -1 when no line begins with the key
     */
    long firstNumberAfter(byte[] key) {
        int lineStart = 0;
        while (lineStart + key.length <= length) {
            if (Arrays.equals(bytes, lineStart, lineStart + key.length, key, 0, key.length)) {
                int at = lineStart + key.length;
                while (at < length && (bytes[at] == '\t' || bytes[at] == ' ')) {
                    at++;
                }
                return number(at);
            }
            while (lineStart < length && bytes[lineStart] != '\n') {
                lineStart++;
            }
            lineStart++;
        }
        return -1;
    }

    /** The decimal number at the start of the last read, or -1 for other text. */
    public long firstNumber() {
        return number(0);
    }

    /** Calls {@code sink} with every whole line of the last read that is a decimal number. */
    public void forEachNumber(java.util.function.IntConsumer sink) {
        int lineStart = 0;
        for (int at = 0; at < length; at++) {
            if (bytes[at] == '\n') {
                long value = number(lineStart);
                if (value >= 0 && value <= Integer.MAX_VALUE) {
                    sink.accept((int) value);
                }
                lineStart = at + 1;
            }
        }
    }

    /** The decimal number at {@code from}; -1 for none and for one that is too large for a long. */
    private long number(int from) {
        long value = 0;
        int at = from;
        while (at < length && bytes[at] >= '0' && bytes[at] <= '9') {
            if (value > (Long.MAX_VALUE - 9) / 10) {
                return -1;
            }
            value = value * 10 + (bytes[at] - '0');
            at++;
        }
        return at == from ? -1 : value;
    }
}
