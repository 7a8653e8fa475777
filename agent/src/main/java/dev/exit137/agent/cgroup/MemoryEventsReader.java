package dev.exit137.agent.cgroup;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.exit137.agent.sys.FileReader;
import dev.exit137.agent.sys.Sys;
import jnr.ffi.Pointer;

/**
 * Reads a cgroup's kill counters. On v2 {@code memory.events.local} counts in the cgroup alone and {@code
 * memory.events} in all below it, the vanished included (Documentation/admin-guide/cgroup-v2.rst). On v1 {@code
 * oom_kill} of {@code memory.oom_control} counts in the cgroup alone (kernels 4.13 and later).
 *
 * <p>Owned by the agent-epoll thread; reading allocates nothing.
 */
final class MemoryEventsReader {
  /*
   * low 0
   * high 0
   * max 61
   * oom 1
   * oom_kill 1
   * oom_group_kill 0
   */
  private static final byte[] OOM_KILL = "oom_kill".getBytes(US_ASCII);
  private static final byte[] OOM = "oom".getBytes(US_ASCII);

  private final FileReader file = new FileReader(4096);
  private final Pointer localName;
  private final Pointer treeName;
  private final boolean v2;

  MemoryEventsReader(boolean v2) {
    this.v2 = v2;
    localName = Sys.nativeString(v2 ? "memory.events.local" : "memory.oom_control");
    treeName = Sys.nativeString("memory.events");
  }

  /** @return 0, or -errno and the cgroup as it was */
  int read(Cgroup cgroup) {
    if (cgroup.isRemoved()) {
      return -Sys.ENOENT;
    }
    // The tree before the leaf: a kill in between makes the difference negative, never a kill too many.
    long treeKills = -1;
    if (v2 && (cgroup.isInterior() || !cgroup.hasCounters())) {
      int result = file.read(cgroup.dirFd(), treeName);
      if (result < 0) {
        return result;
      }
      treeKills = file.valueOf(OOM_KILL);
    }
    int result = file.read(cgroup.dirFd(), localName);
    if (result < 0) {
      return result;
    }
    long localKills = Math.max(0, file.valueOf(OOM_KILL));
    if (treeKills > localKills) {
      cgroup.markInterior();
    }
    cgroup.countersRead(localKills, Math.max(treeKills, localKills), v2 ? Math.max(0, file.valueOf(OOM)) : 0);
    return 0;
  }
}
