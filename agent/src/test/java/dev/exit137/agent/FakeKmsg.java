package dev.exit137.agent;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import jnr.ffi.LibraryLoader;
import jnr.ffi.annotations.In;
import jnr.ffi.annotations.Out;
import jnr.ffi.types.size_t;
import jnr.ffi.types.ssize_t;

/**
 * A FIFO in packet mode (pipe(2), O_DIRECT): like of /dev/kmsg, one read takes one record. What was read is gone, as if
 * the ring had overwritten it, unless it is {@linkplain #replay replayed}. Any thread.
 */
public final class FakeKmsg implements AutoCloseable {
    // <asm-generic/fcntl.h>; O_DIRECT differs between x86 and arm64.
    private static final int O_RDWR = 2;
    private static final int O_NONBLOCK = 0x800;
    private static final int O_CLOEXEC = 0x80000;
    private static final int O_DIRECT = System.getProperty("os.arch").equals("aarch64") ? 0x10000 : 0x4000;
    private static final int F_SETFL = 4;
    private static final int F_SETPIPE_SZ = 1031;
    /** Room for 256 records: each takes a page. */
    private static final int PIPE_BYTES = 1 << 20;

    private static final int MAX_PACKET_BYTES = 4096;
    private static final int OWNER_MAY_READ_AND_WRITE = 0600;

    private static final LibC LIBC = LibraryLoader.create(LibC.class).load("c");

    /** The functions of libc that make and fill a FIFO. */
    public interface LibC {
        /** mkfifo(3). */
        int mkfifo(String path, int mode);

        /** open(2), without its optional mode. */
        int open(String path, int flags);

        /** fcntl(2) with an int. */
        int fcntl(int fd, int command, int argument);

        /** write(2). */
        @ssize_t
        long write(int fd, @In byte[] bytes, @size_t long count);

        /** read(2). */
        @ssize_t
        long read(int fd, @Out byte[] bytes, @size_t long count);

        /** close(2). */
        int close(int fd);
    }

    private static final int GONE = -1;

    private final Path path;
    private int fd;
    private final List<String> ring = new ArrayList<>();
    private long nextSequence;

    public FakeKmsg(Path path) {
        this.path = path;
        comeBack();
    }

    /** The device is gone: whoever reads it sees its end, and nobody can open it. What is printed waits in the ring. */
    public synchronized void goAway() {
        close();
        deviceMove(() -> Files.delete(path));
    }

    /** The device is there, with all that the ring holds. */
    public synchronized void comeBack() {
        Path made = path.resolveSibling(path.getFileName() + ".new");
        succeeded("mkfifo", LIBC.mkfifo(made.toString(), OWNER_MAY_READ_AND_WRITE));
        // Also for reading: so that an agent never sees an end of the file, and the records wait for the next one.
        fd = succeeded("open", LIBC.open(made.toString(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
        succeeded("F_SETFL", LIBC.fcntl(fd, F_SETFL, O_DIRECT | O_NONBLOCK));
        succeeded("F_SETPIPE_SZ", LIBC.fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES));
        replay();
        deviceMove(() -> Files.move(made, path, StandardCopyOption.REPLACE_EXISTING));
    }

    private interface Move {
        void run() throws IOException;
    }

    private static void deviceMove(Move move) {
        try {
            move.run();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static int succeeded(String call, int result) {
        if (result < 0) {
            throw new IllegalStateException(
                    call + " failed: errno " + jnr.ffi.Runtime.getRuntime(LIBC).getLastError());
        }
        return result;
    }

    public Path path() {
        return path;
    }

    /** Sequence number of the next record. */
    public synchronized long nextSequence() {
        return nextSequence;
    }

    /** The kernel prints a line. */
    public void record(String text) {
        record(0, text);
    }

    /** Someone writes a line to the device, under a facility of their choice. */
    synchronized void record(int facility, String text) {
        long micros = System.nanoTime() / 1000;
        write((facility << 3 | 6) + "," + nextSequence + "," + micros + ",-;" + text + "\n");
        nextSequence++;
    }

    /** A record that is none. */
    public synchronized void malformedRecord() {
        write("no record at all\n");
        nextSequence++;
    }

    /** The ring is overwritten faster than it is read. */
    synchronized void overwrite(long records) {
        nextSequence += records;
    }

    /** Another boot: another ring, numbered from 0. */
    synchronized void startAgain() {
        nextSequence = 0;
        ring.clear();
    }

    /** For the next agent the ring still holds everything. */
    public synchronized void replay() {
        ring.forEach(this::offer);
    }

    /** The same, while no agent reads: what the last one left unread is not in its way. */
    synchronized void rewind() {
        byte[] packet = new byte[MAX_PACKET_BYTES];
        while (LIBC.read(fd, packet, packet.length) > 0) {
            // It is in the ring, too.
        }
        replay();
    }

    private void write(String packet) {
        ring.add(packet);
        offer(packet);
    }

    private void offer(String packet) {
        if (fd == GONE) {
            return;
        }
        byte[] bytes = packet.getBytes(UTF_8);
        Await.until("room in the log", () -> LIBC.write(fd, bytes, bytes.length), written -> written == bytes.length);
    }

    @Override
    public synchronized void close() {
        LIBC.close(fd);
        fd = GONE;
    }
}
