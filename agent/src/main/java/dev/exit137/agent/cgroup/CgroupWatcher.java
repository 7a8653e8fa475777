package dev.exit137.agent.cgroup;

import dev.exit137.agent.sys.FileReader;
import dev.exit137.agent.sys.Inotify;
import dev.exit137.agent.sys.NativeMemory;
import dev.exit137.agent.sys.Sys;
import dev.exit137.proto.v1.Limit;
import io.netty.channel.IoEvent;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.collection.IntObjectHashMap;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Follows the cgroup tree through one inotify instance (inotify(7)): directories come and go, kill counters move,
 * cgroups become populated. cgroup v1 notifies nothing but directories: there the counters are read at every kill that
 * the node counts. Where the kernel refuses watches, the tree is scanned every second.
 *
 * <p>Owned by the agent-epoll thread.
 */
public final class CgroupWatcher implements EpollIoHandle {
  private static final Logger LOG = LoggerFactory.getLogger(CgroupWatcher.class);
  private static final long PIDS_REFRESH_NANOS = 1_000_000_000L;
  private static final long PIDS_RENEWAL_NANOS = 60_000_000_000L;
  private static final long YOUNG_NANOS = 10_000_000_000L;

  private enum Role {
    DIRECTORY,
    LOCAL_COUNTERS,
    TREE_COUNTERS,
    POPULATED
  }

  private record Watch(Cgroup cgroup, Role role) {}

  /** cgroup v1 does not tell when a cgroup becomes populated: a new one is looked at for a while. */
  private record Young(Cgroup cgroup, long sinceNanos) {}

  private final CgroupTree tree;
  private final PidIndex pids = new PidIndex();
  private final MemoryEventsReader counters;
  private final MemorySampler sampler;
  private final boolean v2;
  private final LongSupplier monotonicNanos;
  private final Consumer<Cgroup> countersMoved;
  private final BiConsumer<String, Path> containerAppeared;
  private final Inotify inotify = new Inotify();
  private final Inotify.Handler eventHandler = this::handleEvent;
  private final FileDescriptor descriptor;
  private final IntObjectHashMap<Watch> watches = new IntObjectHashMap<>(256);
  private final List<Cgroup> withoutCounters = new ArrayList<>();
  private final ArrayDeque<Young> young = new ArrayDeque<>();
  private final FileReader procsFile = new FileReader(64 * 1024);
  private final NativeMemory procsName = Sys.nativeString("cgroup.procs");

  private long pidsRenewedAtNanos;
  private long overflows;
  private long watchesRefused;

  /**
   * @param monotonicNanos CLOCK_MONOTONIC
   * @param countersMoved told of a cgroup whose counter shows a kill that no event accounts for
   * @param containerAppeared told of the id of a container whose cgroup is there, and of its directory
   * @param sampleInterval how often it is read where the memory of a cgroup is; 0 for never
   * @throws IOException no inotify instance can be had
   */
  public CgroupWatcher(
      CgroupMount mount,
      LongSupplier monotonicNanos,
      Consumer<Cgroup> countersMoved,
      BiConsumer<String, Path> containerAppeared,
      Duration sampleInterval)
      throws IOException {
    this.monotonicNanos = monotonicNanos;
    this.tree = new CgroupTree(mount, monotonicNanos, this::unwatch, this::refused);
    this.v2 = mount.isV2();
    this.counters = new MemoryEventsReader(v2, monotonicNanos);
    this.sampler = new MemorySampler(v2, sampleInterval, monotonicNanos, this::isEveryKillAccounted);
    this.countersMoved = countersMoved;
    this.containerAppeared = containerAppeared;
    descriptor = new FileDescriptor(inotify.fd());
  }

  /** The cgroups as they are known now. */
  public CgroupTree tree() {
    return tree;
  }

  /** Which process was seen in which cgroup. */
  public PidIndex pids() {
    return pids;
  }

  /** Queue overflows so far; each led to a rescan. */
  public long overflows() {
    return overflows;
  }

  /** Watches that the kernel refused; above 0 the tree must be scanned periodically. */
  public long watchesRefused() {
    return watchesRefused;
  }

  /** Whether counters that move are notified; else {@link #refreshAll} must be called when the node counts a kill. */
  public boolean notifiesCounters() {
    return v2 && watchesRefused == 0;
  }

  /** Whether the counters are those of cgroup v2, in which a cgroup counts for those below it, too. */
  public boolean isV2() {
    return v2;
  }

  /** Whether any cgroup has kill counters. */
  public boolean hasCounters() {
    boolean[] any = new boolean[1];
    tree.forEach(cgroup -> any[0] |= cgroup.hasCounters());
    return any[0];
  }

  /** Finds every cgroup there is, watches it and reads its counters. */
  public void start(List<CgroupTree.Account> remembered) {
    pidsRenewedAtNanos = monotonicNanos.getAsLong();
    tree.remember(remembered);
    Cgroup root = tree.openRoot();
    if (root != null) {
      discover(root);
    }
  }

  // ---- discovery

  private void discover(Cgroup cgroup) {
    if (!cgroup.markWatched()) {
      return;
    }
    watch(cgroup, Role.DIRECTORY, "", Sys.IN_CREATE | Sys.IN_DELETE | Sys.IN_ONLYDIR);
    watchCounters(cgroup);
    if (v2) {
      watch(cgroup, Role.POPULATED, "/cgroup.events", Sys.IN_MODIFY);
    } else {
      young.addLast(new Young(cgroup, monotonicNanos.getAsLong()));
    }
    indexProcesses(cgroup);
    sampler.add(cgroup);
    CgroupPath path = CgroupPath.parse(cgroup.path());
    if (path.owner() == Limit.Owner.CONTAINER) {
      path.container().ifPresent(c -> containerAppeared.accept(c.id(), Path.of(tree.directoryOf(cgroup))));
    }
    addChildren(cgroup);
  }

  private void addChildren(Cgroup cgroup) {
    if (cgroup.isRemoved() || !Sys.mayHaveSubdirectories(cgroup.dirFd())) {
      return;
    }
    File[] directories = new File(tree.directoryOf(cgroup)).listFiles(File::isDirectory);
    if (directories == null || directories.length == 0) {
      return;
    }
    hadCgroupBelow(cgroup);
    for (File directory : directories) {
      addChild(cgroup, directory.getName());
    }
  }

  private void addChild(Cgroup parent, String name) {
    Cgroup child = tree.add(parent, name);
    if (child != null) {
      discover(child);
    }
  }

  /** There is, or was, a cgroup below this one: from now on its tree count matters, too. */
  public void hadCgroupBelow(Cgroup cgroup) {
    if (!cgroup.isInterior()) {
      cgroup.markInterior();
      if (v2 && cgroup.hasCounters()) {
        watch(cgroup, Role.TREE_COUNTERS, "/memory.events", Sys.IN_MODIFY);
      }
    }
    refresh(cgroup);
  }

  /** The watch first, then the counter: a kill that came before the watch is seen by the reading. */
  private void watchCounters(Cgroup cgroup) {
    if (counters.read(cgroup) == 0) {
      if (v2) {
        watch(cgroup, Role.LOCAL_COUNTERS, "/memory.events.local", Sys.IN_MODIFY);
        if (cgroup.isInterior()) {
          watch(cgroup, Role.TREE_COUNTERS, "/memory.events", Sys.IN_MODIFY);
        }
      }
      refresh(cgroup);
    } else {
      // The memory controller may be enabled for it later; nothing tells when.
      withoutCounters.add(cgroup);
    }
  }

  private void watch(Cgroup cgroup, Role role, String file, int mask) {
    int watch = inotify.addWatch(tree.directoryOf(cgroup) + file, mask);
    if (watch >= 0) {
      watches.put(watch, new Watch(cgroup, role));
      cgroup.watchAdded(watch);
    } else if (watch != -Sys.ENOENT && watch != -Sys.ENODEV) {
      refused(watch);
    }
  }

  private void refused(int negativeErrno) {
    if (watchesRefused++ == 0) {
      LOG.warn(
          "a cgroup cannot be watched: {}; all are scanned every second instead. Raise fs.inotify.max_user_watches, or "
              + "the limit of open files.",
          Sys.describe(negativeErrno));
    }
  }

  /** rmdir takes away the watch of the directory alone: those of its files would pin their inodes for ever. */
  private void unwatch(Cgroup removed) {
    sampler.remove(removed);
    for (int watch : removed.watches()) {
      watches.remove(watch);
      inotify.removeWatch(watch);
    }
  }

  private void indexProcesses(Cgroup cgroup) {
    cgroup.pidsRead(monotonicNanos.getAsLong());
    if (procsFile.read(cgroup.dirFd(), procsName) > 0) {
      procsFile.forEachNumber(pid -> pids.put(pid, cgroup));
    }
  }

  // ---- counters

  /** Reads a cgroup's counters again. */
  public void refresh(Cgroup cgroup) {
    if (counters.read(cgroup) == 0) {
      if (cgroup.surplus() > 0 || cgroup.vanishedSurplus() > 0) {
        countersMoved.accept(cgroup);
      }
    } else if (cgroup.hasCounters() && !cgroup.isRemoved() && !withoutCounters.contains(cgroup)) {
      // The memory controller was turned off: when it comes back, its files are others and need other watches.
      withoutCounters.add(cgroup);
    }
  }

  /** Reads a cgroup's counters and then its children's: only in this order is its vanished surplus right. */
  public void refreshWithChildren(Cgroup cgroup) {
    counters.read(cgroup);
    for (Cgroup child : cgroup.children().values()) {
      counters.read(child);
    }
  }

  /** In it and below; v1 counts each cgroup apart. The counters are read now. */
  private boolean isEveryKillAccounted(Cgroup cgroup) {
    if (counters.read(cgroup) != 0 || cgroup.surplus() != 0) {
      return false;
    }
    return v2
        ? cgroup.treeSurplus() == 0
        : cgroup.children().values().stream().allMatch(this::isEveryKillAccounted);
  }

  /** Reads every counter, parents before children. */
  public void refreshAll() {
    tree.forEach(this::refresh);
  }

  /** Looks at the whole tree again, whatever inotify told. */
  public void scan() {
    List<Cgroup> gone = new ArrayList<>();
    tree.forEach(
        cgroup -> {
          if (cgroup.parent() != null && !tree.stillThere(cgroup)) {
            gone.add(cgroup);
          }
        });
    long now = monotonicNanos.getAsLong();
    gone.stream().filter(cgroup -> !cgroup.isRemoved()).forEach(cgroup -> tree.remove(cgroup, now));
    // Cgroups below it may have come and gone unseen.
    tree.forEach(this::hadCgroupBelow);
    tree.forEach(this::addChildren);
    tree.forEach(this::indexProcesses);
  }

  /** The periodic part: to be called about once a second. */
  public void tick(long nowNanos) {
    tree.forgetRemoved(nowNanos);
    sampler.tick(nowNanos);
    if (nowNanos - pidsRenewedAtNanos > PIDS_RENEWAL_NANOS) {
      pidsRenewedAtNanos = nowNanos;
      pids.beginRenewal();
      tree.forEach(this::indexProcesses);
    }
    if (!withoutCounters.isEmpty()) {
      List<Cgroup> retry = List.copyOf(withoutCounters);
      withoutCounters.clear();
      retry.stream().filter(cgroup -> !cgroup.isRemoved()).forEach(this::watchCounters);
    }
    while (!young.isEmpty() && nowNanos - young.peekFirst().sinceNanos() > YOUNG_NANOS) {
      young.removeFirst();
    }
    young.forEach(each -> indexProcesses(each.cgroup()));
    if (watchesRefused > 0) {
      scan();
    }
  }

  // ---- inotify

  @Override
  public FileDescriptor fd() {
    return descriptor;
  }

  @Override
  public void registered() {}

  @Override
  public void unregistered() {}

  @Override
  public void handle(IoRegistration registration, IoEvent event) {
    try {
      drain();
    } catch (RuntimeException e) {
      // Out of here it would put the whole event loop to sleep.
      LOG.error("cgroup notification could not be handled", e);
    }
  }

  /** Handles every notification that is queued now. */
  public void drain() {
    inotify.drain(eventHandler);
  }

  private void handleEvent(int watchDescriptor, int mask) {
    if ((mask & Sys.IN_Q_OVERFLOW) != 0) {
      overflows++;
      LOG.warn("inotify queue overflow: scanning all cgroups");
      scan();
      return;
    }
    if ((mask & Sys.IN_IGNORED) != 0) {
      watches.remove(watchDescriptor);
      return;
    }
    Watch watch = watches.get(watchDescriptor);
    if (watch == null || watch.cgroup().isRemoved()) {
      return;
    }
    Cgroup cgroup = watch.cgroup();
    switch (watch.role()) {
      case LOCAL_COUNTERS -> {
        refresh(cgroup);
        refreshProcesses(cgroup);
        if (cgroup.surplus() == 0) {
          sampler.onEvents(cgroup);
        }
      }
      case TREE_COUNTERS -> refresh(cgroup);
      case POPULATED -> indexProcesses(cgroup);
      case DIRECTORY -> {
        if ((mask & Sys.IN_ISDIR) != 0) {
          directoryChanged(cgroup, mask, inotify.name());
        }
      }
    }
  }

  private void directoryChanged(Cgroup parent, int mask, String name) {
    if ((mask & Sys.IN_CREATE) != 0) {
      // Also when it is gone before it can be opened: what was counted in it is in the parent's tree count.
      hadCgroupBelow(parent);
      addChild(parent, name);
      return;
    }
    Cgroup child = parent.children().get(name);
    // The notification may be of a cgroup before this one with the same name.
    if (child != null && !tree.stillThere(child)) {
      tree.remove(child, monotonicNanos.getAsLong());
    }
    refresh(parent);
  }

  /** In a cgroup at its limit, or below it, there will be kills: learn the processes while they live, once a second. */
  private void refreshProcesses(Cgroup cgroup) {
    if (monotonicNanos.getAsLong() - cgroup.pidsReadAtNanos() > PIDS_REFRESH_NANOS) {
      indexProcesses(cgroup);
      cgroup.children().values().forEach(this::refreshProcesses);
    }
  }

  @Override
  public void close() {
    inotify.close();
    tree.forEach(cgroup -> Sys.close(cgroup.dirFd()));
  }
}
