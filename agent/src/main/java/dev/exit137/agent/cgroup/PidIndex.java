package dev.exit137.agent.cgroup;

import io.netty.util.collection.IntObjectHashMap;

/**
 * Which cgroup a process was in, known <em>before</em> it is killed: at the kill the process is usually gone. An entry
 * outlives its process and its cgroup for a while, because the record of a kill is read after both are gone; so what it
 * says of a kill must agree with the cgroup's counter, or the kill with the cgroup's lifetime.
 *
 * <p>Owned by the agent-epoll thread.
 */
public final class PidIndex {
  private final IntObjectHashMap<Cgroup> byPid = new IntObjectHashMap<>(256);

  void put(int pid, Cgroup cgroup) {
    byPid.put(pid, cgroup);
  }

  /** The last cgroup in which the process was seen, or null. */
  public Cgroup cgroupOf(int pid) {
    return byPid.get(pid);
  }

  /** Forgets every process that was last seen in one of the cgroups. */
  void forget(java.util.Set<Cgroup> cgroups) {
    byPid.values().removeIf(cgroups::contains);
  }
}
