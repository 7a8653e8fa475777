package dev.exit137.agent.cgroup;

import io.netty.util.collection.IntObjectHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Which cgroup a process was in, known <em>before</em> it is killed: at the kill the process is usually gone. An entry
 * outlives its process and its cgroup for a while, because the record of a kill is read after both are gone; so what it
 * says of a kill must agree with the cgroup's counter, or the kill with the cgroup's lifetime.
 *
 * <p>Owned by the agent-epoll thread.
 */
public final class PidIndex {
  private IntObjectHashMap<Cgroup> seen = new IntObjectHashMap<>(256);
  private IntObjectHashMap<Cgroup> seenBefore = new IntObjectHashMap<>(1);

  void put(int pid, Cgroup cgroup) {
    seen.put(pid, cgroup);
  }

  /** The last cgroup in which the process was seen, or null. */
  public @Nullable Cgroup cgroupOf(int pid) {
    Cgroup cgroup = seen.get(pid);
    return cgroup != null ? cgroup : seenBefore.get(pid);
  }

  /** All live processes are put again now: those that are not are forgotten at the renewal after this one. */
  void beginRenewal() {
    seenBefore = seen;
    seen = new IntObjectHashMap<>(Math.max(256, seen.size()));
  }
}
