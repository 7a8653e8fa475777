package dev.exit137.agent.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * One inotify instance (inotify(7)):
 *
 * <pre>
 * struct inotify_event {
 *     int      wd;
 *     uint32_t mask;
 *     uint32_t cookie;
 *     uint32_t len;
 *     char     name[];
 * };
 * </pre>
 *
 * <p>Owned by one thread; reading allocates nothing but a requested name.
 */
public final class Inotify implements AutoCloseable {
    private static final int MASK_OFFSET = 4;
    private static final int LENGTH_OFFSET = 12;
    private static final int NAME_OFFSET = 16;
    private static final int BUFFER_BYTES = 64 * 1024;

    /** Receives the events, on the thread that drains. */
    public interface Handler {
        /** An event; its {@link #name} can be read during the call. */
        void onEvent(int watch, int mask);
    }

    private final Descriptor descriptor;
    private final NativeMemory nativeBuffer = Sys.allocate(BUFFER_BYTES);
    private final byte[] bytes = new byte[BUFFER_BYTES];
    private final ByteBuffer events = ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
    private int eventAt;

    /** @param fd the result of {@link Sys#inotifyInit}; where that is -errno, every watch is refused with it */
    public Inotify(int fd) {
        descriptor = new Descriptor(fd);
    }

    /** The descriptor to poll, or -errno; -EBADF after it is closed. */
    public int fd() {
        return descriptor.number();
    }

    /**
     * Watches an inode.
     *
     * @return a watch descriptor, the same for the same inode, or -errno
     */
    public int addWatch(String path, int mask) {
        return descriptor.isOpen() ? Sys.inotifyAddWatch(fd(), path, mask) : fd();
    }

    /** Ends a watch; it is no error if the watch has already ended. */
    public void removeWatch(int watch) {
        Sys.inotifyRemoveWatch(fd(), watch);
    }

    /** Passes every queued event to the handler. */
    public void drain(Handler handler) {
        int count;
        while ((count = Sys.read(fd(), nativeBuffer, BUFFER_BYTES)) > 0) {
            nativeBuffer.get(0, bytes, 0, count);
            int at = 0;
            while (at + NAME_OFFSET <= count) {
                eventAt = at;
                int nameBytes = events.getInt(at + LENGTH_OFFSET);
                handler.onEvent(events.getInt(at), events.getInt(at + MASK_OFFSET));
                at += NAME_OFFSET + nameBytes;
            }
        }
    }

    /** The name within the watched directory of the event that is being handled. */
    public String name() {
        int start = eventAt + NAME_OFFSET;
        int end = start;
        while (end < start + events.getInt(eventAt + LENGTH_OFFSET) && bytes[end] != 0) {
            end++;
        }
        return new String(bytes, start, end - start, StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        descriptor.close();
    }
}
