package dev.exit137.agent.sys;

import jnr.ffi.Pointer;
import jnr.ffi.types.intptr_t;
import jnr.ffi.types.size_t;
import jnr.ffi.types.ssize_t;

/**
 * The functions of libc that the agent uses, as they are: -1 and errno on failure. Only {@link Sys} calls them.
 *
 * <p>{@code open} and {@code openat} are declared without their optional mode: the agent never creates a file through
 * them.
 */
public interface LibC {
  /** open(2). */
  int open(String path, int flags);

  /** openat(2); {@code name} is NUL-terminated native memory, so that a call allocates nothing. */
  int openat(int dirFd, Pointer name, int flags);

  /** read(2); the buffer by its address, so that a call can fill a part of it and allocates nothing. */
  @ssize_t
  long read(int fd, @intptr_t long address, @size_t long count);

  /** close(2). */
  int close(int fd);

  /** inotify_init1(2). */
  int inotify_init1(int flags);

  /** inotify_add_watch(2). */
  int inotify_add_watch(int fd, String path, int mask);

  /** inotify_rm_watch(2). */
  int inotify_rm_watch(int fd, int watch);

  /** getpagesize(2). */
  int getpagesize();
}
