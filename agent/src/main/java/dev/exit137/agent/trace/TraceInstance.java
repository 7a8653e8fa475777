package dev.exit137.agent.trace;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.UUID;

/**
 * The agent's own tracefs instance: buffers and settings that nobody else uses
 * (<a href="https://docs.kernel.org/trace/ftrace.html#instances">Instances</a>).
 *
 * <p>Its name is {@code exit137-} and a hash of the state directory's device and inode. So an agent finds the instance of
 * its predecessor with the same state directory, and two agents on one machine have two, also where they have the same
 * paths and pids in containers of their own. The lock of the state directory makes sure that the predecessor is gone.
 *
 * <p>The instance records while nobody reads it: it outlives the agent. An agent that lives renews the time of its
 * instance's directory; another agent removes an instance whose time is older than {@link #ABANDONED}. The kernel refuses
 * that (EBUSY) while a file of the instance is open.
 *
 * <p>The buffers of all processors together have at most 8 MiB; with many processors each has less. The kernel makes an
 * instance with its default of 1.4 MiB for each, which is cut within milliseconds.
 */
final class TraceInstance {
    /** An agent that restarts is back by then. */
    static final Duration ABANDONED = Duration.ofMinutes(10);

    /** An agent that dies has read no record that is younger than its last renewal and this. */
    private static final Duration READ_AFTER_RENEWAL = Duration.ofSeconds(15);

    private static final String PREFIX = "exit137-";
    private static final int HASH_LENGTH = 16;
    private static final String EVENT = "events/signal/signal_generate/";
    private static final String FILTER = "sig==9 || sig==15";
    private static final String TRIGGER = "stacktrace if sig==9";
    private static final int TOTAL_KIB = 8 * 1024;
    private static final int MAX_KIB = 256;
    private static final int MIN_KIB = 8;

    private final Path directory;
    private final boolean adopted;
    private final boolean hasStacks;
    private final Instant since;

    private TraceInstance(Path directory, boolean adopted, boolean hasStacks, Instant since) {
        this.directory = directory;
        this.adopted = adopted;
        this.hasStacks = hasStacks;
        this.since = since;
    }

    /** The name of the instance of the agent with this state directory. */
    static String name(Path stateDir) throws IOException {
        Object inode = Files.readAttributes(stateDir, BasicFileAttributes.class).fileKey();
        String key = inode == null ? stateDir.toRealPath().toString() : inode.toString();
        return PREFIX
                + UUID.nameUUIDFromBytes(key.getBytes(UTF_8))
                        .toString()
                        .replace("-", "")
                        .substring(0, HASH_LENGTH);
    }

    /**
     * Makes the instance, or takes over that of the predecessor with all its records, and lets it record.
     *
     * @param cpus number of processors that have a buffer each
     * @param now renews the time of the predecessor's, so that no other agent removes it meanwhile
     * @throws IOException if that is not possible; the message says at which step
     */
    static TraceInstance open(Path tracefs, String name, int cpus, Instant now) throws IOException {
        Path directory = tracefs.resolve("instances").resolve(name);
        boolean adopted = Files.isDirectory(directory);
        Instant readUntil = Instant.MIN;
        if (adopted) {
            readUntil = Files.getLastModifiedTime(directory).toInstant().plus(READ_AFTER_RENEWAL);
            renew(directory, now);
        } else {
            Files.createDirectory(directory);
        }
        try {
            boolean hasStacks = setUp(directory, Math.clamp(TOTAL_KIB / Math.max(1, cpus), MIN_KIB, MAX_KIB));
            // Nobody writes to this file, so its time is that of its making.
            Instant since =
                    Files.getLastModifiedTime(directory.resolve("trace")).toInstant();
            return new TraceInstance(
                    directory, adopted, hasStacks, since.isAfter(readUntil) ? since : min(readUntil, now));
        } catch (IOException e) {
            if (!adopted) {
                Files.deleteIfExists(directory);
            }
            throw e;
        }
    }

    private static Instant min(Instant one, Instant other) {
        return one.isBefore(other) ? one : other;
    }

    /** Changes only what differs: some of these files empty the buffers when they are written. */
    private static boolean setUp(Path directory, int kib) throws IOException {
        set(directory.resolve("trace_clock"), "[mono]", "mono");
        // At the default of 50 percent nobody is woken up. Kernels before 5.0 have no such file, and wake up at once.
        if (Files.exists(directory.resolve("buffer_percent"))) {
            set(directory.resolve("buffer_percent"), "0", "0");
        }
        set(directory.resolve("buffer_size_kb"), Integer.toString(kib), Integer.toString(kib));
        set(directory.resolve(EVENT + "filter"), FILTER, FILTER);
        boolean hasStacks = setTrigger(directory.resolve(EVENT + "trigger"));
        set(directory.resolve(EVENT + "enable"), "1", "1");
        set(directory.resolve("tracing_on"), "1", "1");
        return hasStacks;
    }

    private static boolean setTrigger(Path trigger) {
        try {
            // stacktrace:unlimited if sig==9; or, for none, a comment with all that there are
            if (TraceFile.read(trigger).lines().noneMatch(line -> line.startsWith("stacktrace"))) {
                TraceFile.write(trigger, TRIGGER);
            }
            return true;
        } catch (IOException e) {
            // A kernel without CONFIG_STACKTRACE or CONFIG_HIST_TRIGGERS knows no such trigger: signals have no path
            // then.
            return false;
        }
    }

    private static void set(Path file, String shown, String value) throws IOException {
        String now = TraceFile.read(file);
        if (!now.equals(shown) && !(shown.startsWith("[") && now.contains(shown))) {
            TraceFile.write(file, value);
        }
    }

    Path directory() {
        return directory;
    }

    /** Whether a predecessor made it: it may hold records that nobody has read. */
    boolean isAdopted() {
        return adopted;
    }

    /** Whether the kernel took the trigger that writes stacks. */
    boolean hasStacks() {
        return hasStacks;
    }

    /** Since when it has every record: a predecessor took the earlier ones with it. */
    Instant since() {
        return since;
    }

    /** Says that its agent lives. */
    void renew(Instant now) {
        renew(directory, now);
    }

    private static void renew(Path directory, Instant now) {
        try {
            Files.setLastModifiedTime(directory, FileTime.from(now));
        } catch (IOException e) {
            // Its open files keep it as well.
        }
    }

    /** Removes it; its files must be closed. */
    void remove() throws IOException {
        Files.deleteIfExists(directory);
    }

    /**
     * Removes the instances of other agents that are gone for good.
     *
     * @return how many
     */
    static int removeAbandoned(Path tracefs, Path own, Instant now) throws IOException {
        int removed = 0;
        try (DirectoryStream<Path> instances = Files.newDirectoryStream(tracefs.resolve("instances"), PREFIX + "*")) {
            for (Path instance : instances) {
                if (!instance.equals(own)
                        && Files.getLastModifiedTime(instance)
                                .toInstant()
                                .plus(ABANDONED)
                                .isBefore(now)) {
                    removed += removeUnused(instance) ? 1 : 0;
                }
            }
        }
        return removed;
    }

    private static boolean removeUnused(Path instance) {
        try {
            Files.delete(instance);
            return true;
        } catch (IOException e) {
            // It is in use (EBUSY), or another agent was faster.
            return false;
        }
    }
}
