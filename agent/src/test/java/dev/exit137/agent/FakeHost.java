package dev.exit137.agent;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A node made of plain files and a FIFO, as an agent sees it: procfs, cgroup v2 and the kernel's log. One thread. */
final class FakeHost implements AutoCloseable {
    static final String FIRST_BOOT = "boot-1";

    final FakeKmsg kmsg;
    private final Path cgroupRoot;
    private final Path procRoot;
    private final KillCounter vmstat;
    private final Map<String, List<KillCounter>> cgroups = new LinkedHashMap<>();

    FakeHost(Path directory) {
        kmsg = new FakeKmsg(directory.resolve("kmsg"));
        cgroupRoot = directory.resolve("cgroup");
        procRoot = directory.resolve("proc");
        write(cgroupRoot.resolve("cgroup.controllers"), "memory\n");
        write(procRoot.resolve("sys/kernel/random/boot_id"), FIRST_BOOT + "\n");
        write(procRoot.resolve("sys/kernel/osrelease"), "6.1.0-fake\n");
        write(procRoot.resolve("self/mountinfo"), "");
        PidNamespace.MACHINE.of(procRoot);
        vmstat = new KillCounter(procRoot.resolve("vmstat"));
    }

    Path cgroupRoot() {
        return cgroupRoot;
    }

    Path procRoot() {
        return procRoot;
    }

    void cgroup(String path) {
        Path directory = cgroupRoot.resolve(path.substring(1));
        write(directory.resolve("cgroup.events"), "populated 1\nfrozen 0\n");
        write(directory.resolve("cgroup.procs"), "");
        write(directory.resolve("memory.max"), "33554432\n");
        cgroups.put(
                path,
                List.of(
                        new KillCounter(directory.resolve("memory.events")),
                        new KillCounter(directory.resolve("memory.events.local"))));
    }

    /** Makes the cgroup's files so large that its events are, too. */
    void pressure(String path, String lines) {
        write(cgroupRoot.resolve(path.substring(1)).resolve("memory.pressure"), lines);
    }

    /** A process that is in the cgroup now. */
    void process(String path, int pid) {
        write(procRoot().resolve(Integer.toString(pid)).resolve("cgroup"), "0::" + path + "\n");
    }

    // ---- what the kernel does: it counts before it prints

    /** A kill at the cgroup's own limit. */
    void kill(String path, int pid) {
        count(path);
        kmsg.record(summary(path, pid));
        kmsg.record(killed(pid));
    }

    /** The record that says whose limit was hit, and whom the kernel chose. */
    static String summary(String path, int pid) {
        return "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=" + path
                + ",task_memcg=" + path + ",task=hog,pid=" + pid + ",uid=0";
    }

    /** The record that says who was killed. */
    static String killed(int pid) {
        return "Memory cgroup out of memory: Killed process " + pid
                + " (hog) total-vm:65536kB, anon-rss:32768kB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:100kB"
                + " oom_score_adj:0";
    }

    /** A kill whose record never comes. */
    void count(String path) {
        vmstat.increment();
        cgroups.get(path).forEach(KillCounter::increment);
    }

    /** Another boot: everything counts from zero. */
    void reboot(String bootId) {
        write(procRoot.resolve("sys/kernel/random/boot_id"), bootId + "\n");
        List<KillCounter> all = new ArrayList<>(List.of(vmstat));
        cgroups.values().forEach(all::addAll);
        all.forEach(KillCounter::reset);
        kmsg.startAgain();
    }

    private static void write(Path file, String text) {
        try {
            Files.createDirectories(file.getParent());
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        kmsg.close();
    }

    /** A file with {@code oom_kill}. Its digits are eight aligned bytes, written at once: none reads half a number. */
    private static final class KillCounter {
        private static final String HEAD = "oom_kill 0000000";
        private final Path file;
        private int kills;

        KillCounter(Path file) {
            this.file = file;
            FakeHost.write(file, HEAD + "00000000\n");
        }

        void increment() {
            kills++;
            writeDigits();
        }

        void reset() {
            kills = 0;
            writeDigits();
        }

        private void writeDigits() {
            byte[] digits = "%08d".formatted(kills).getBytes(StandardCharsets.US_ASCII);
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                channel.write(ByteBuffer.wrap(digits), HEAD.length());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
