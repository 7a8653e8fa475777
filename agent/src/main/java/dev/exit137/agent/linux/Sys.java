package dev.exit137.agent.linux;

import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import jnr.constants.platform.Errno;

/**
 * The only access to libc. Every call has one result rule: a value {@code >= 0}, or {@code -errno}. EINTR is retried.
 * Constants are those of Linux on x86_64 and aarch64.
 *
 * <p>Any thread. Reading, opening below a directory and closing allocate nothing on the Java heap.
 */
public final class Sys {
    // <asm-generic/fcntl.h>; O_DIRECTORY differs between x86 and arm64.
    public static final int O_RDONLY = 0;
    public static final int O_NONBLOCK = 0x800;
    public static final int O_CLOEXEC = 0x80000;
    public static final int O_PATH = 0x200000;
    public static final int O_DIRECTORY = System.getProperty("os.arch").equals("aarch64") ? 0x4000 : 0x10000;

    // <linux/inotify.h>
    public static final int IN_MODIFY = 0x2;
    public static final int IN_CREATE = 0x100;
    public static final int IN_DELETE = 0x200;
    public static final int IN_Q_OVERFLOW = 0x4000;
    public static final int IN_IGNORED = 0x8000;
    public static final int IN_ONLYDIR = 0x0100_0000;
    public static final int IN_ISDIR = 0x4000_0000;
    public static final int IN_NONBLOCK = O_NONBLOCK;
    public static final int IN_CLOEXEC = O_CLOEXEC;

    // <linux/mount.h>
    private static final long MS_NOSUID = 0x2;
    private static final long MS_NODEV = 0x4;
    private static final long MS_NOEXEC = 0x8;
    // <linux/fs.h>
    private static final int MNT_DETACH = 0x2;

    // <asm-generic/errno.h>
    public static final int ENOENT = 2;
    private static final int EINTR = 4;
    public static final int EBADF = 9;
    public static final int EAGAIN = 11;
    public static final int ENODEV = 19;
    public static final int EINVAL = 22;
    public static final int EPIPE = 32;
    private static final int ENAMETOOLONG = 36;

    // <linux/fcntl.h>, <linux/stat.h>: struct statx { u32 mask, blksize; u64 attributes; u32 nlink, uid, gid; u16 mode,
    // pad; u64 ino; ... }
    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int STATX_NLINK_AND_INO = 0x4 | 0x100;
    private static final int STATX_NLINK_OFFSET = 16;
    private static final int STATX_INO_OFFSET = 32;

    // <linux/limits.h>
    private static final int PATH_MAX = 4096;

    private static final NativeMemory EMPTY_PATH = nativeString("");
    /** A path or a struct statx during a call; the calling thread holds its lock. */
    private static final NativeMemory SCRATCH = allocate(PATH_MAX);

    private Sys() {}

    /** Size of a page of this machine's memory. */
    public static int pageSizeBytes() {
        return LibC.getpagesize();
    }

    /** Native memory that lives as long as the returned object is reachable. */
    public static NativeMemory allocate(int bytes) {
        return new NativeMemory(bytes);
    }

    /** The string as NUL-terminated native memory, for {@link #openAt}. */
    public static NativeMemory nativeString(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        NativeMemory memory = allocate(bytes.length + 1);
        memory.putString(bytes);
        return memory;
    }

    /** @return whether the scratch memory now holds the path */
    private static boolean hasPath(String path) {
        byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
        if (bytes.length >= PATH_MAX) {
            return false;
        }
        SCRATCH.putString(bytes);
        return true;
    }

    /**
     * Opens a file, open(2).
     *
     * @return a file descriptor, or -errno
     */
    public static int open(String path, int flags) {
        synchronized (SCRATCH) {
            if (!hasPath(path)) {
                return -ENAMETOOLONG;
            }
            int result;
            do {
                result = check(LibC.open(SCRATCH.address, flags));
            } while (result == -EINTR);
            return result;
        }
    }

    /**
     * Opens a file below a directory, openat(2).
     *
     * @return a file descriptor, or -errno
     */
    public static int openAt(int dirFd, NativeMemory name, int flags) {
        int result;
        do {
            result = check(LibC.openat(dirFd, name.address, flags));
        } while (result == -EINTR);
        return result;
    }

    /**
     * Reads the target of a symbolic link below a directory, without a NUL, to the start of the buffer, readlinkat(2).
     *
     * @return bytes of the target, cut to the buffer's size, or -errno
     */
    public static int readLinkAt(int dirFd, NativeMemory name, NativeMemory buffer) {
        return check((int) LibC.readlinkat(dirFd, name.address, buffer.address, buffer.size()));
    }

    /**
     * Reads to the start of the buffer, read(2).
     *
     * @return bytes read, 0 at the end of the file, or -errno
     */
    public static int read(int fd, NativeMemory buffer, int count) {
        return read(fd, buffer, 0, count);
    }

    /**
     * Reads to {@code buffer[offset, offset + count)}.
     *
     * @return bytes read, 0 at the end of the file, or -errno
     */
    public static int read(int fd, NativeMemory buffer, int offset, int count) {
        Objects.checkFromIndexSize(offset, count, buffer.size());
        int result;
        do {
            result = check((int) LibC.read(fd, buffer.address + offset, count));
        } while (result == -EINTR);
        return result;
    }

    /** Closes {@code fd} if it is a descriptor; a failure to close is ignored. */
    public static void close(int fd) {
        if (fd >= 0) {
            LibC.close(fd);
        }
    }

    /**
     * Creates an inotify instance, inotify_init1(2).
     *
     * @return an inotify descriptor, non-blocking and close-on-exec, or -errno
     */
    public static int inotifyInit() {
        return check(LibC.inotifyInit1(IN_NONBLOCK | IN_CLOEXEC));
    }

    /**
     * Watches a file, inotify_add_watch(2).
     *
     * @return a watch descriptor, or -errno
     */
    public static int inotifyAddWatch(int inotifyFd, String path, int mask) {
        synchronized (SCRATCH) {
            return hasPath(path) ? check(LibC.inotifyAddWatch(inotifyFd, SCRATCH.address, mask)) : -ENAMETOOLONG;
        }
    }

    /**
     * Ends a watch, inotify_rm_watch(2).
     *
     * @return 0, or -errno
     */
    public static int inotifyRemoveWatch(int inotifyFd, int watch) {
        return check(LibC.inotifyRmWatch(inotifyFd, watch));
    }

    /**
     * Mounts a file system of the kernel, such as {@code tracefs}, that needs no device, mount(2).
     *
     * @return 0, or -errno
     */
    public static int mount(String type, String directory) {
        NativeMemory name = nativeString(type);
        NativeMemory target = nativeString(directory);
        try {
            return check(LibC.mount(name.address, target.address, name.address, MS_NOSUID | MS_NODEV | MS_NOEXEC));
        } finally {
            // An address alone keeps no memory: it was freed, and written over, before the kernel read it.
            Reference.reachabilityFence(name);
            Reference.reachabilityFence(target);
        }
    }

    /**
     * Takes a mount out of the tree of files; descriptors within it stay usable, umount2(2) with MNT_DETACH.
     *
     * @return 0, or -errno
     */
    public static int detach(String directory) {
        NativeMemory target = nativeString(directory);
        try {
            return check(LibC.umount2(target.address, MNT_DETACH));
        } finally {
            Reference.reachabilityFence(target);
        }
    }

    /** The inode of an open file, or -errno. */
    public static long inode(int fd) {
        synchronized (SCRATCH) {
            int result = statx(fd);
            return result == 0 ? SCRATCH.getLong(STATX_INO_OFFSET) : result;
        }
    }

    /** Whether an open directory may have subdirectories. On cgroupfs its link count is 2, plus one for each. */
    public static boolean mayHaveSubdirectories(int fd) {
        synchronized (SCRATCH) {
            return statx(fd) != 0 || SCRATCH.getInt(STATX_NLINK_OFFSET) != 2;
        }
    }

    private static int statx(int fd) {
        return check(LibC.statx(fd, EMPTY_PATH.address, AT_EMPTY_PATH, STATX_NLINK_AND_INO, SCRATCH.address));
    }

    /** {@code ENOENT (No such file or directory)} for {@code -2}. */
    public static String describe(long negativeErrno) {
        Errno errno = Errno.valueOf(-negativeErrno);
        return errno.name() + " (" + errno.description() + ")";
    }

    private static int check(int result) {
        return result >= 0 ? result : -LibC.errno();
    }
}
