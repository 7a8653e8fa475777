package dev.exit137.agent.cgroup;

import dev.exit137.agent.linux.Inotify;
import dev.exit137.agent.linux.Sys;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.proto.v1.Limit;
import io.netty.channel.IoEvent;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.collection.IntObjectHashMap;
import java.io.File;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.IntToLongFunction;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Follows the cgroup tree through one inotify instance (inotify(7)): directories appear and disappear, kill counters
 * change, cgroups become populated. cgroup v1 notifies of directories only: there the counters are read at every kill
 * that the node counts. Where the kernel refuses watches, or the instance, the tree is scanned every second. A failure
 * in one cgroup is survived and does not delay the others.
 *
 * <p>Owned by the agent-epoll thread.
 */
public final class CgroupWatcher implements EpollIoHandle {
    private static final Logger LOG = LoggerFactory.getLogger(CgroupWatcher.class);
    private static final String PLACE = "cgroups";

    private enum Role {
        DIRECTORY,
        LOCAL_COUNTERS,
        TREE_COUNTERS,
        POPULATED
    }

    private record Watch(Cgroup cgroup, Role role) {}

    private final CgroupTree tree;
    private final ProcessScan processes;
    private final MemoryEventsReader counters;
    private final MemorySampler sampler;
    private final boolean v2;
    private final LongSupplier monotonicNanos;
    private final Consumer<Cgroup> countersMoved;
    private final BiConsumer<String, Path> containerAppeared;
    private final Guard guard;
    private final Inotify inotify;
    private final Inotify.Handler eventHandler = this::onEvent;
    private final Runnable wakeUp = this::drain;
    private final @Nullable FileDescriptor descriptor;
    private final IntObjectHashMap<Watch> watches = new IntObjectHashMap<>(256);
    private final List<Cgroup> withoutCounters = new ArrayList<>();

    private long overflows;
    private long watchesRefused;
    private boolean scanDue;

    /**
     * @param monotonicNanos CLOCK_MONOTONIC
     * @param countersMoved receives a cgroup when its counter shows a kill that no event accounts for
     * @param containerAppeared receives the id of a container when its cgroup is found, and the cgroup's directory
     * @param sampleInterval how often the memory of a cgroup is sampled; 0 for never
     * @param guard the guard of this process
     */
    public CgroupWatcher(
            CgroupMount mount,
            LongSupplier monotonicNanos,
            Consumer<Cgroup> countersMoved,
            BiConsumer<String, Path> containerAppeared,
            Duration sampleInterval,
            Guard guard) {
        this(
                mount,
                monotonicNanos,
                countersMoved,
                containerAppeared,
                sampleInterval,
                guard,
                new Inotify(Sys.inotifyInit()),
                Sys::inode);
    }

    /** @param inodeOf returns the inode of a descriptor, or -errno */
    CgroupWatcher(
            CgroupMount mount,
            LongSupplier monotonicNanos,
            Consumer<Cgroup> countersMoved,
            BiConsumer<String, Path> containerAppeared,
            Duration sampleInterval,
            Guard guard,
            Inotify inotify,
            IntToLongFunction inodeOf) {
        this.monotonicNanos = monotonicNanos;
        this.guard = guard;
        this.processes = new ProcessScan(monotonicNanos);
        this.tree = new CgroupTree(mount, monotonicNanos, this::unwatch, this::refused, inodeOf);
        this.v2 = mount.isV2();
        this.counters = new MemoryEventsReader(v2, monotonicNanos);
        this.sampler = new MemorySampler(v2, sampleInterval, monotonicNanos, this::isEveryKillAccounted);
        this.countersMoved = countersMoved;
        this.containerAppeared = containerAppeared;
        this.inotify = inotify;
        descriptor = hasDescriptor() ? new FileDescriptor(inotify.fd()) : null;
        if (!hasDescriptor()) {
            refused(inotify.fd());
        }
    }

    /** Whether there is a descriptor to wait for; without one, {@link #fd} must not be called. */
    public boolean hasDescriptor() {
        return inotify.fd() >= 0;
    }

    /** The known cgroups. */
    public CgroupTree tree() {
        return tree;
    }

    /** The cgroup in which each process was last seen. */
    public PidIndex pids() {
        return processes.pids;
    }

    /** Queue overflows so far; each led to a rescan. */
    public long overflows() {
        return overflows;
    }

    /** Watches that the kernel refused; above 0 the tree must be scanned periodically. */
    public long watchesRefused() {
        return watchesRefused;
    }

    /**
     * Whether the kernel notifies of counter changes; else {@link #refreshAll} must be called when the node counts a
     * kill.
     */
    public boolean notifiesCounters() {
        return v2 && watchesRefused == 0;
    }

    /** Whether the counters are those of cgroup v2, where a cgroup also counts for its descendants. */
    public boolean isV2() {
        return v2;
    }

    /** Whether any cgroup has kill counters. */
    public boolean hasCounters() {
        boolean[] any = new boolean[1];
        tree.forEach(cgroup -> any[0] |= cgroup.hasCounters());
        return any[0];
    }

    /** Finds every existing cgroup, watches it and reads its counters. */
    public void start(List<CgroupTree.Account> remembered) {
        tree.remember(remembered);
        discoverRoot();
    }

    // ---- discovery

    private void discoverRoot() {
        Cgroup root = tree.openRoot();
        if (root != null) {
            discover(root);
        }
    }

    /** Watches a cgroup and its descendants. Any user may nest cgroups below his own, too deep for recursion. */
    private void discover(Cgroup first) {
        ArrayDeque<Cgroup> found = new ArrayDeque<>(List.of(first));
        while (!found.isEmpty()) {
            Cgroup cgroup = found.removeFirst();
            if (cgroup.markWatched()) {
                if (!guard.run(PLACE, () -> watchAndRead(cgroup))) {
                    cgroup.markUnwatched();
                }
                guard.run(PLACE, () -> reportContainer(cgroup));
                guard.run(PLACE, () -> found.addAll(findChildren(cgroup)));
            }
        }
    }

    private void watchAndRead(Cgroup cgroup) {
        watch(cgroup, Role.DIRECTORY, "", Sys.IN_CREATE | Sys.IN_DELETE | Sys.IN_ONLYDIR);
        boolean counted = watchCounters(cgroup);
        if (v2) {
            watch(cgroup, Role.POPULATED, "/cgroup.events", Sys.IN_MODIFY);
        } else {
            processes.addYoung(cgroup);
        }
        processes.read(cgroup);
        sampler.add(cgroup);
        if (!counted) {
            withoutCounters.add(cgroup);
        }
    }

    private void reportContainer(Cgroup cgroup) {
        CgroupPath path = CgroupPath.parse(cgroup.path());
        if (path.owner() == Limit.Owner.CONTAINER) {
            path.container().ifPresent(c -> containerAppeared.accept(c.id(), Path.of(tree.directoryOf(cgroup))));
        }
    }

    private List<Cgroup> findChildren(Cgroup cgroup) {
        if (cgroup.isRemoved() || !Sys.mayHaveSubdirectories(cgroup.dirFd())) {
            return List.of();
        }
        File[] directories = new File(tree.directoryOf(cgroup)).listFiles(File::isDirectory);
        if (directories == null || directories.length == 0) {
            return List.of();
        }
        hadCgroupBelow(cgroup);
        List<Cgroup> children = new ArrayList<>(directories.length);
        for (File directory : directories) {
            guard.run(PLACE, () -> {
                Cgroup child = tree.add(cgroup, directory.getName());
                if (child != null) {
                    children.add(child);
                }
            });
        }
        return children;
    }

    /** The cgroup has, or had, a child: from now on its tree count matters, too. */
    public void hadCgroupBelow(Cgroup cgroup) {
        if (!cgroup.isInterior()) {
            cgroup.markInterior();
            if (v2 && cgroup.hasCounters()) {
                watch(cgroup, Role.TREE_COUNTERS, "/memory.events", Sys.IN_MODIFY);
            }
        }
        refresh(cgroup);
    }

    /**
     * Adds the watch before it reads the counter: the reading includes a kill that came before the watch.
     *
     * @return false where there are no counters: the memory controller may be enabled later, and no notification says
     *     when
     */
    private boolean watchCounters(Cgroup cgroup) {
        if (counters.read(cgroup) != 0) {
            return false;
        }
        if (v2) {
            watch(cgroup, Role.LOCAL_COUNTERS, "/memory.events.local", Sys.IN_MODIFY);
            if (cgroup.isInterior()) {
                watch(cgroup, Role.TREE_COUNTERS, "/memory.events", Sys.IN_MODIFY);
            }
        }
        refresh(cgroup);
        return true;
    }

    private void watch(Cgroup cgroup, Role role, String file, int mask) {
        int watch = inotify.addWatch(tree.directoryOf(cgroup) + file, mask);
        if (watch >= 0) {
            if (watches.put(watch, new Watch(cgroup, role)) == null) {
                cgroup.watchAdded(watch);
            }
        } else if (watch != -Sys.ENOENT && watch != -Sys.ENODEV) {
            refused(watch);
        }
    }

    private void refused(int negativeErrno) {
        if (watchesRefused++ == 0) {
            LOG.warn(
                    "not every cgroup can be watched: {}; all are scanned every second instead. Raise"
                            + " fs.inotify.max_user_watches or max_user_instances, or the limit of open files.",
                    Sys.describe(negativeErrno));
        }
    }

    /** rmdir removes only the watch of the directory: the watches of its files would pin their inodes for ever. */
    private void unwatch(Cgroup removed) {
        sampler.remove(removed);
        for (int watch : removed.watches) {
            watches.remove(watch);
            inotify.removeWatch(watch);
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
            // The memory controller was disabled: when it is enabled again, its files are new and need new watches.
            withoutCounters.add(cgroup);
        }
    }

    /** Reads a cgroup's counters and then its children's: only in this order is its vanished surplus correct. */
    public void refreshWithChildren(Cgroup cgroup) {
        counters.read(cgroup);
        for (Cgroup child : cgroup.children.values()) {
            counters.read(child);
        }
    }

    /** In the cgroup and below; v1 counts each cgroup separately. Reads the counters now. */
    private boolean isEveryKillAccounted(Cgroup cgroup) {
        if (counters.read(cgroup) != 0 || cgroup.surplus() != 0) {
            return false;
        }
        return v2
                ? cgroup.treeSurplus() == 0
                : cgroup.children.values().stream().allMatch(this::isEveryKillAccounted);
    }

    /** Reads every counter, parents before children. */
    public void refreshAll() {
        forEach(this::refresh);
    }

    private void forEach(Consumer<Cgroup> visitor) {
        tree.forEach(cgroup -> guard.run(PLACE, () -> visitor.accept(cgroup)));
    }

    /** Scans the whole tree again, whatever inotify has reported. */
    public void scan() {
        if (tree.size() == 0) {
            discoverRoot();
        }
        List<Cgroup> gone = new ArrayList<>();
        tree.forEach(cgroup -> {
            if (cgroup.parent() != null && !tree.stillThere(cgroup)) {
                gone.add(cgroup);
            }
        });
        long now = monotonicNanos.getAsLong();
        gone.stream()
                .filter(cgroup -> !cgroup.isRemoved())
                .forEach(cgroup -> guard.run(PLACE, () -> tree.remove(cgroup, now)));
        // Cgroups below it may have come and gone between two scans.
        forEach(this::hadCgroupBelow);
        forEach(this::discover);
        forEach(cgroup -> findChildren(cgroup).forEach(this::discover));
        forEach(processes::read);
    }

    /** Periodic work; call about once a second. */
    public void tick(long nowNanos) {
        tree.forgetRemoved(nowNanos);
        guard.run(PLACE, () -> sampler.tick(nowNanos));
        guard.run(PLACE, () -> processes.tick(nowNanos, tree));
        withoutCounters.removeIf(cgroup -> cgroup.isRemoved() || guard.get(PLACE, () -> watchCounters(cgroup), false));
        if (watchesRefused > 0 || scanDue || tree.size() == 0) {
            scanDue = false;
            scan();
        }
    }

    // ---- inotify

    @Override
    public FileDescriptor fd() {
        return Objects.requireNonNull(descriptor);
    }

    @Override
    public void registered() {}

    @Override
    public void unregistered() {}

    @Override
    public void handle(IoRegistration registration, IoEvent event) {
        // An exception out of this method would stop the whole event loop for a while, and an error would end it.
        guard.run(PLACE, wakeUp);
    }

    /** Handles every queued notification. */
    public void drain() {
        inotify.drain(eventHandler);
    }

    private void onEvent(int watchDescriptor, int mask) {
        try {
            handleEvent(watchDescriptor, mask);
        } catch (Throwable e) {
            // A scan finds the change instead, and the notifications queued after this one are handled.
            guard.caught(PLACE, e);
            scanDue = true;
        }
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
                processes.refresh(cgroup);
                if (cgroup.surplus() == 0) {
                    sampler.onEvents(cgroup);
                }
            }
            case TREE_COUNTERS -> refresh(cgroup);
            case POPULATED -> processes.read(cgroup);
            case DIRECTORY -> {
                if ((mask & Sys.IN_ISDIR) != 0) {
                    directoryChanged(cgroup, mask, inotify.name());
                }
            }
        }
    }

    private void directoryChanged(Cgroup parent, int mask, String name) {
        if ((mask & Sys.IN_CREATE) != 0) {
            // Also for a cgroup that is gone before it can be opened: the parent's tree count includes its kills.
            hadCgroupBelow(parent);
            Cgroup made = tree.add(parent, name);
            if (made != null) {
                discover(made);
            }
            return;
        }
        Cgroup child = parent.children.get(name);
        // The notification may be about an earlier cgroup of the same name.
        if (child != null && !tree.stillThere(child)) {
            tree.remove(child, monotonicNanos.getAsLong());
        }
        refresh(parent);
    }

    @Override
    public void close() {
        inotify.close();
        tree.forEach(Cgroup::closeDirectory);
    }
}
