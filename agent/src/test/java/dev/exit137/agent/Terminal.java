package dev.exit137.agent;

import jnr.ffi.LibraryLoader;
import jnr.ffi.annotations.Out;
import jnr.ffi.types.size_t;

/** A pseudoterminal (pty(7)): the device whose reads fail with EIO once the other side was open, and was closed. */
public final class Terminal {
    /** Opening it makes another one, of which the descriptor is one side. */
    public static final String DEVICE = "/dev/ptmx";

    private static final int O_RDWR_O_NOCTTY = 2 | 0x100;
    private static final int NAME_BYTES = 64;
    private static final LibC LIBC = LibraryLoader.create(LibC.class).load("c");

    /** The functions of libc for the other side. */
    public interface LibC {
        /** unlockpt(3). */
        int unlockpt(int fd);

        /** ptsname_r(3). */
        int ptsname_r(int fd, @Out byte[] name, @size_t long size);

        /** open(2), without its optional mode. */
        int open(byte[] path, int flags);

        /** close(2). */
        int close(int fd);
    }

    private Terminal() {}

    /** Opens the other side, and closes it. */
    public static void hangUp(int fd) {
        byte[] name = new byte[NAME_BYTES];
        int other = LIBC.unlockpt(fd) == 0 && LIBC.ptsname_r(fd, name, name.length) == 0
                ? LIBC.open(name, O_RDWR_O_NOCTTY)
                : -1;
        if (other < 0 || LIBC.close(other) != 0) {
            throw new IllegalStateException("the other side of a pseudoterminal cannot be opened");
        }
    }
}
