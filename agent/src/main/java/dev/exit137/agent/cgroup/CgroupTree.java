package dev.exit137.agent.cgroup;

import dev.exit137.agent.linux.Descriptor;
import dev.exit137.agent.linux.Sys;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.IntToLongFunction;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The tree of live cgroups, and the cgroups removed recently: the record of a kill is often read after its cgroup is
 * gone. Owned by the agent-epoll thread.
 */
public final class CgroupTree {
    private static final long KEEP_REMOVED_NANOS = 30_000_000_000L;

    private final String rootDirectory;
    private final String prefix;
    private final Map<Long, Cgroup> byInode = new HashMap<>();
    private final ArrayDeque<Cgroup> removed = new ArrayDeque<>();
    private final Map<Long, Account> remembered = new HashMap<>();
    private final LongSupplier monotonicNanos;
    private final Consumer<Cgroup> onRemoved;
    private final IntConsumer onRefused;
    private final IntToLongFunction inodeOf;
    private @Nullable Cgroup root;

    /** The part of a cgroup that a checkpoint keeps: the kills and OOMs that events account for. */
    public record Account(long inode, long localKills, long treeKills, long ooms) {}

    /**
     * @param onRemoved receives every cgroup that is removed
     * @param onRefused receives -errno when an existing cgroup cannot be opened
     * @param inodeOf returns the inode of a descriptor, or -errno
     */
    CgroupTree(
            CgroupMount mount,
            LongSupplier monotonicNanos,
            Consumer<Cgroup> onRemoved,
            IntConsumer onRefused,
            IntToLongFunction inodeOf) {
        this.monotonicNanos = monotonicNanos;
        this.onRemoved = onRemoved;
        this.onRefused = onRefused;
        this.inodeOf = inodeOf;
        rootDirectory = mount.root().toString();
        prefix = mount.prefix();
    }

    /** Path of the cgroup's directory. */
    String directoryOf(Cgroup cgroup) {
        String below = cgroup.path().substring(prefix.length());
        return below.equals("/") ? rootDirectory : rootDirectory + below;
    }

    /** Number of live cgroups. */
    public int size() {
        return byInode.size();
    }

    /** Keeps the accounts of an earlier run of the agent in the same boot; each is applied when its cgroup is found. */
    void remember(List<Account> accounts) {
        accounts.forEach(account -> remembered.put(account.inode(), account));
    }

    /** Opens the root; null when it cannot be opened. */
    @Nullable
    Cgroup openRoot() {
        root = open(null, prefix.isEmpty() ? "/" : prefix, rootDirectory);
        return root;
    }

    /** Adds a child, which may be known already; returns null when it is gone. */
    @Nullable
    Cgroup add(Cgroup parent, String name) {
        String path = parent.path().equals("/") ? "/" + name : parent.path() + "/" + name;
        Cgroup child = open(parent, path, directoryOf(parent) + "/" + name);
        if (child == null) {
            return null;
        }
        Cgroup before = parent.children.put(name, child);
        if (before != null && before != child) {
            remove(before, monotonicNanos.getAsLong());
        }
        parent.markInterior();
        return child;
    }

    private @Nullable Cgroup open(@Nullable Cgroup parent, String path, String directory) {
        int fd = openDirectory(directory);
        long inode = fd < 0 ? fd : inodeOf.applyAsLong(fd);
        Cgroup known = byInode.get(inode);
        if (inode < 0
                || (known != null && (known.path().equals(path) || known.parent() == null || stillThere(known)))) {
            Sys.close(fd);
            refusedUnlessGone(inode);
            // A cgroup that is mounted at a second path, too, would be counted twice, and would be its own ancestor.
            return known != null && known.path().equals(path) ? known : null;
        }
        if (known != null) {
            // It was renamed; cgroup v1 allows that.
            remove(known, monotonicNanos.getAsLong());
        }
        Cgroup cgroup = new Cgroup(inode, path, parent, new Descriptor(fd));
        Account account = remembered.remove(inode);
        if (account != null) {
            cgroup.restore(account.localKills(), account.treeKills(), account.ooms());
        }
        byInode.put(inode, cgroup);
        return cgroup;
    }

    private static int openDirectory(String directory) {
        return Sys.open(directory, Sys.O_PATH | Sys.O_DIRECTORY | Sys.O_CLOEXEC);
    }

    /** @return whether the cgroup may still exist: a failure to open it does not prove that it is gone */
    private boolean refusedUnlessGone(long negativeErrno) {
        boolean refused = negativeErrno < 0 && negativeErrno != -Sys.ENOENT && negativeErrno != -Sys.ENODEV;
        if (refused) {
            onRefused.accept((int) negativeErrno);
        }
        return refused;
    }

    /** Whether the directory at the cgroup's path is still this cgroup; true also where an error hides the answer. */
    boolean stillThere(Cgroup cgroup) {
        int fd = openDirectory(directoryOf(cgroup));
        long inode = fd < 0 ? fd : inodeOf.applyAsLong(fd);
        Sys.close(fd);
        return inode == cgroup.inode() || refusedUnlessGone(inode);
    }

    /** Removes a cgroup and its descendants; never the root. */
    void remove(Cgroup cgroup, long nowNanos) {
        List.copyOf(cgroup.children.values()).forEach(child -> remove(child, nowNanos));
        String name = cgroup.path().substring(cgroup.path().lastIndexOf('/') + 1);
        Objects.requireNonNull(cgroup.parent()).children.remove(name, cgroup);
        byInode.remove(cgroup.inode());
        cgroup.markRemoved(nowNanos);
        removed.addLast(cgroup);
        onRemoved.accept(cgroup);
    }

    /** Drops the cgroups that were removed long ago. */
    void forgetRemoved(long nowNanos) {
        while (!removed.isEmpty() && nowNanos - removed.peekFirst().removedAtNanos() > KEEP_REMOVED_NANOS) {
            removed.removeFirst();
        }
    }

    /** The live cgroup at a path as the kernel's log spells it, or null. */
    public @Nullable Cgroup find(String path) {
        Cgroup deepest = deepest(path);
        return deepest != null && deepest.path().equals(path) ? deepest : null;
    }

    /** The deepest live cgroup at or above a path; null when the path is outside this tree. */
    public @Nullable Cgroup deepest(String path) {
        if (root == null || !path.startsWith("/") || !(prefix.isEmpty() || (path + "/").startsWith(prefix + "/"))) {
            return null;
        }
        Cgroup at = root;
        int from = prefix.length() + 1;
        while (from < path.length()) {
            int slash = path.indexOf('/', from);
            String name = path.substring(from, slash < 0 ? path.length() : slash);
            Cgroup child = at.children.get(name);
            if (child == null) {
                return at;
            }
            at = child;
            from += name.length() + 1;
        }
        return at;
    }

    /** Every live cgroup, a parent always before its children. */
    public void forEach(Consumer<Cgroup> visitor) {
        if (root != null) {
            visit(root, visitor);
        }
    }

    private static void visit(Cgroup cgroup, Consumer<Cgroup> visitor) {
        visitor.accept(cgroup);
        for (Cgroup child : new ArrayList<>(cgroup.children.values())) {
            visit(child, visitor);
        }
    }

    /** The cgroups that were removed within the last 30 s, oldest first. */
    public Iterable<Cgroup> recentlyRemoved() {
        return removed;
    }

    /** Marks every kill counted so far as accounted for. */
    public void absorbKills() {
        forEach(Cgroup::absorbKills);
    }

    /** Marks every kill and OOM counted so far as accounted for. */
    public void absorbAll() {
        absorbKills();
        forEach(Cgroup::absorbOoms);
    }

    /** The accounts for a checkpoint; cgroups with nothing accounted are left out. */
    public List<Account> accounts() {
        List<Account> accounts = new ArrayList<>();
        forEach(cgroup -> {
            if (cgroup.accountedTreeKills() != 0 || cgroup.accountedOoms() != 0) {
                accounts.add(new Account(
                        cgroup.inode(), cgroup.accountedKills(), cgroup.accountedTreeKills(), cgroup.accountedOoms()));
            }
        });
        return accounts;
    }
}
