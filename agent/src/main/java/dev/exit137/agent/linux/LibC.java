package dev.exit137.agent.linux;

import com.kenai.jffi.CallingConvention;
import com.kenai.jffi.Function;
import com.kenai.jffi.Invoker;
import com.kenai.jffi.LastError;
import com.kenai.jffi.Library;
import com.kenai.jffi.Type;

/**
 * The functions of libc that the agent uses, with libc's results: -1 and errno on failure. Only {@link Sys} calls them.
 *
 * <p>It uses jffi directly, the engine of jnr-ffi: the classes that jnr-ffi would generate for an interface make the
 * same calls, but their generation takes a tenth of a second and some 400 classes at each start.
 *
 * <p>{@code open} and {@code openat} are declared without their optional mode: the agent never creates a file through
 * them. Paths are the addresses of NUL-terminated strings.
 */
final class LibC {
    private static final Invoker INVOKER = Invoker.getInstance();
    private static final LastError ERRNO = LastError.getInstance();
    private static final Library LIBRARY = Library.getDefault();

    private static final Function OPEN = function("open", Type.SINT, Type.POINTER, Type.SINT);
    private static final Function OPENAT = function("openat", Type.SINT, Type.SINT, Type.POINTER, Type.SINT);
    private static final Function READLINKAT =
            function("readlinkat", Type.SLONG, Type.SINT, Type.POINTER, Type.POINTER, Type.ULONG);
    private static final Function READ = function("read", Type.SLONG, Type.SINT, Type.POINTER, Type.ULONG);
    private static final Function CLOSE = function("close", Type.SINT, Type.SINT);
    private static final Function STATX =
            function("statx", Type.SINT, Type.SINT, Type.POINTER, Type.SINT, Type.UINT, Type.POINTER);
    private static final Function INOTIFY_INIT1 = function("inotify_init1", Type.SINT, Type.SINT);
    private static final Function INOTIFY_ADD_WATCH =
            function("inotify_add_watch", Type.SINT, Type.SINT, Type.POINTER, Type.UINT);
    private static final Function INOTIFY_RM_WATCH = function("inotify_rm_watch", Type.SINT, Type.SINT, Type.SINT);
    private static final Function MOUNT =
            function("mount", Type.SINT, Type.POINTER, Type.POINTER, Type.POINTER, Type.ULONG, Type.POINTER);
    private static final Function UMOUNT2 = function("umount2", Type.SINT, Type.POINTER, Type.SINT);
    private static final Function GETPAGESIZE = function("getpagesize", Type.SINT);

    private LibC() {}

    private static Function function(String name, Type result, Type... parameters) {
        long address = LIBRARY.getSymbolAddress(name);
        if (address == 0) {
            throw new UnsatisfiedLinkError("libc has no " + name + ": " + Library.getLastError());
        }
        return new Function(address, result, parameters, CallingConvention.DEFAULT, true);
    }

    /** errno of the last call in this thread. */
    static int errno() {
        return ERRNO.get();
    }

    /** open(2). */
    static int open(long path, int flags) {
        return (int) INVOKER.invokeNNrN(OPEN, path, flags);
    }

    /** openat(2). */
    static int openat(int dirFd, long path, int flags) {
        return (int) INVOKER.invokeNNNrN(OPENAT, dirFd, path, flags);
    }

    /** readlinkat(2). */
    static long readlinkat(int dirFd, long path, long buffer, long count) {
        return INVOKER.invokeNNNNrN(READLINKAT, dirFd, path, buffer, count);
    }

    /** read(2). */
    static long read(int fd, long buffer, long count) {
        return INVOKER.invokeNNNrN(READ, fd, buffer, count);
    }

    /** close(2). */
    static int close(int fd) {
        return (int) INVOKER.invokeNrN(CLOSE, fd);
    }

    /** statx(2): its struct is the same on every architecture, unlike that of fstat(2). */
    static int statx(int dirFd, long path, int flags, int mask, long stat) {
        return (int) INVOKER.invokeNNNNNrN(STATX, dirFd, path, flags, mask, stat);
    }

    /** inotify_init1(2). */
    static int inotifyInit1(int flags) {
        return (int) INVOKER.invokeNrN(INOTIFY_INIT1, flags);
    }

    /** inotify_add_watch(2). */
    static int inotifyAddWatch(int fd, long path, int mask) {
        return (int) INVOKER.invokeNNNrN(INOTIFY_ADD_WATCH, fd, path, mask);
    }

    /** inotify_rm_watch(2). */
    static int inotifyRmWatch(int fd, int watch) {
        return (int) INVOKER.invokeNNrN(INOTIFY_RM_WATCH, fd, watch);
    }

    /** mount(2), without data. */
    static int mount(long source, long target, long type, long flags) {
        return (int) INVOKER.invokeNNNNNrN(MOUNT, source, target, type, flags, 0);
    }

    /** umount2(2). */
    static int umount2(long target, int flags) {
        return (int) INVOKER.invokeNNrN(UMOUNT2, target, flags);
    }

    /** getpagesize(2). */
    static int getpagesize() {
        return INVOKER.invokeI0(GETPAGESIZE.getCallContext(), GETPAGESIZE.getFunctionAddress());
    }
}
