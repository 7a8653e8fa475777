package dev.exit137.agent.sys;

import java.util.Objects;
import jnr.constants.platform.Errno;
import jnr.ffi.LibraryLoader;
import jnr.ffi.Memory;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;
import jnr.posix.FileStat;
import jnr.posix.POSIX;
import jnr.posix.POSIXFactory;

/**
 * The one seam to libc. Every call has one result rule: a value {@code >= 0}, or {@code -errno}. EINTR is retried.
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

  public static final int ENOENT = Errno.ENOENT.intValue();
  public static final int ENODEV = Errno.ENODEV.intValue();
  public static final int EAGAIN = Errno.EAGAIN.intValue();
  public static final int EINVAL = Errno.EINVAL.intValue();
  public static final int EPIPE = Errno.EPIPE.intValue();
  private static final int EINTR = Errno.EINTR.intValue();

  private static final LibC LIBC = LibraryLoader.create(LibC.class).load("c");
  private static final Runtime RUNTIME = Runtime.getRuntime(LIBC);
  private static final POSIX POSIX_LAYER = POSIXFactory.getNativePOSIX();

  private Sys() {}

  /** Size of a page of this machine's memory. */
  public static int pageSizeBytes() {
    return LIBC.getpagesize();
  }

  /** Native memory that lives as long as the returned pointer is reachable. */
  public static Pointer allocate(int bytes) {
    return Memory.allocateDirect(RUNTIME, bytes);
  }

  /** The string as NUL-terminated native memory, for {@link #openAt}. */
  public static Pointer nativeString(String text) {
    byte[] bytes = text.getBytes(java.nio.charset.StandardCharsets.UTF_8);
    Pointer memory = allocate(bytes.length + 1);
    memory.put(0, bytes, 0, bytes.length);
    memory.putByte(bytes.length, (byte) 0);
    return memory;
  }

  /** @return a file descriptor, or -errno */
  public static int open(String path, int flags) {
    int result;
    do {
      result = check(LIBC.open(path, flags));
    } while (result == -EINTR);
    return result;
  }

  /** @return a file descriptor, or -errno */
  public static int openAt(int dirFd, Pointer name, int flags) {
    int result;
    do {
      result = check(LIBC.openat(dirFd, name, flags));
    } while (result == -EINTR);
    return result;
  }

  /** @return bytes read, 0 at the end of the file, or -errno */
  public static int read(int fd, Pointer buffer, int count) {
    return read(fd, buffer, 0, count);
  }

  /**
   * Reads to {@code buffer[offset, offset + count)}.
   *
   * @return bytes read, 0 at the end of the file, or -errno
   */
  public static int read(int fd, Pointer buffer, int offset, int count) {
    Objects.checkFromIndexSize(offset, count, buffer.size());
    int result;
    do {
      result = check((int) LIBC.read(fd, buffer.address() + offset, count));
    } while (result == -EINTR);
    return result;
  }

  /** Closes {@code fd} if it is one; a failure to close leaves nothing to do. */
  public static void close(int fd) {
    if (fd >= 0) {
      LIBC.close(fd);
    }
  }

  /** @return an inotify descriptor, non-blocking and close-on-exec, or -errno */
  public static int inotifyInit() {
    return check(LIBC.inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  }

  /** @return a watch descriptor, or -errno */
  public static int inotifyAddWatch(int inotifyFd, String path, int mask) {
    return check(LIBC.inotify_add_watch(inotifyFd, path, mask));
  }

  /** @return 0, or -errno */
  public static int inotifyRemoveWatch(int inotifyFd, int watch) {
    return check(LIBC.inotify_rm_watch(inotifyFd, watch));
  }

  /** @return the inode of an open file, or -errno */
  public static long inode(int fd) {
    FileStat stat = POSIX_LAYER.allocateStat();
    int result = POSIX_LAYER.fstat(fd, stat);
    return result == 0 ? stat.ino() : -POSIX_LAYER.errno();
  }

  /**
   * Whether an open directory may have directories in it. Its link count tells on cgroupfs: 2, and one for each.
   */
  public static boolean mayHaveSubdirectories(int fd) {
    FileStat stat = POSIX_LAYER.allocateStat();
    return POSIX_LAYER.fstat(fd, stat) != 0 || stat.nlink() != 2;
  }

  /** {@code ENOENT (No such file or directory)} for {@code -2}. */
  public static String describe(long negativeErrno) {
    Errno errno = Errno.valueOf(-negativeErrno);
    return errno.name() + " (" + errno.description() + ")";
  }

  private static int check(int result) {
    return result >= 0 ? result : -RUNTIME.getLastError();
  }
}
