package dev.exit137.agent.container;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.ContainerdLine;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * containerd's log: only it says what a client of the CRI asked for. It is a file, or it is in the journal, which
 * {@code journalctl} reads where there is one; only containerd's own lines are asked for, by the fields that journald adds.
 * Agent-identity thread; the journal is read on a thread of its own, and its lines come on the agent-identity thread.
 * {@link #status} any thread.
 */
final class ContainerdLog implements AutoCloseable {
    static final String AUTO = "auto";
    static final String JOURNAL = "journal";
    static final String OFF = "off";

    private static final Logger LOG = LoggerFactory.getLogger(ContainerdLog.class);
    private static final String PLACE = "container-runtime";
    /** Where k3s and RKE2 have their containerd write its log. */
    private static final List<Path> USUAL_FILES = List.of(
            Path.of("/var/lib/rancher/k3s/agent/containerd/containerd.log"),
            Path.of("/var/lib/rancher/rke2/agent/containerd/containerd.log"));

    private static final int LOOK_EVERY_TICKS = 5;
    /** A stop with a long grace period began this long before its end at most. */
    private static final Duration LONGEST_STOP = Duration.ofHours(1);

    private final String where;
    private final Path hostRoot;
    private final Instant since;
    private final Consumer<ContainerdLine> requests;
    private final Plausible plausible;
    private final Executor thread;
    private final Guard guard;
    private @Nullable LogFile file;
    private @Nullable Process journal;
    private int ticksToLook;
    private boolean ended;
    /** Where the journal is read on after an interruption; a line that comes twice is one. */
    private @Nullable Instant lastLine;

    /** The time of the first line that was read. */
    private volatile @Nullable Instant firstLine;
    /** Why the log is not read; empty while it is. */
    private volatile String problem = "it has not been opened yet";

    private volatile String name = "";
    private volatile long leftOut;
    private volatile long implausible;

    /**
     * @param where path of the file, {@link #AUTO}, {@link #JOURNAL} or {@link #OFF}
     * @param procRoot the host's procfs: the host's files are below its {@code 1/root} for an agent in a container
     * @param endsSince earlier ends are not reported
     * @param requests receives each line that is a request of a client, or follows from one
     * @param plausible tells the times that can be
     * @param thread the agent-identity thread
     * @param guard of this process
     */
    ContainerdLog(
            String where,
            Path procRoot,
            Instant endsSince,
            Consumer<ContainerdLine> requests,
            Plausible plausible,
            Executor thread,
            Guard guard) {
        this.where = where;
        hostRoot = procRoot.resolve("1/root");
        since = endsSince.isBefore(Instant.EPOCH.plus(LONGEST_STOP)) ? Instant.EPOCH : endsSince.minus(LONGEST_STOP);
        this.requests = requests;
        this.plausible = plausible;
        this.thread = thread;
        this.guard = guard;
    }

    /** Opens the log, again and again, and reads it; call it about once a second while a runtime serves the CRI. */
    void tick() {
        if (where.equals(OFF) || ended) {
            return;
        }
        if (file == null && journal == null && --ticksToLook <= 0) {
            ticksToLook = LOOK_EVERY_TICKS;
            open();
        }
        readNow();
    }

    private void open() {
        Optional<Path> found = switch (where) {
            case AUTO ->
                USUAL_FILES.stream()
                        .flatMap(this::places)
                        .filter(Files::isReadable)
                        .findFirst();
            case JOURNAL -> Optional.empty();
            default -> places(Path.of(where)).filter(Files::isReadable).findFirst();
        };
        if (found.isPresent()) {
            name = found.get().toString();
            file = new LogFile(found.get(), this::accept);
            problem = "";
            LOG.info("reading containerd's log {}", name);
        } else if (where.equals(AUTO) || where.equals(JOURNAL)) {
            openJournal();
        } else {
            problem = where + " cannot be read (--containerd-log)";
        }
    }

    /** Returns the file itself, and the host's file of that name. */
    private Stream<Path> places(Path path) {
        return Stream.of(path, hostRoot.resolve(Path.of("/").relativize(path)));
    }

    /** Reads what the file has now; the journal is read all the time. */
    void readNow() {
        LogFile open = file;
        if (open == null) {
            return;
        }
        try {
            open.read();
            problem = "";
        } catch (IOException e) {
            problem = name + ": " + e;
        }
        leftOut = open.tooLong() + open.truncations();
    }

    // ---- the journal

    private void openJournal() {
        Instant last = lastLine;
        List<String> command = List.of(
                "journalctl",
                "--output=cat",
                "--follow",
                "--no-tail",
                "--since=@" + (last == null ? since : last).getEpochSecond(),
                "_UID=0",
                "_COMM=containerd",
                "_TRANSPORT=stdout",
                "_SYSTEMD_UNIT=containerd.service");
        try {
            Process started = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            journal = started;
            name = "the journal";
            problem = "";
            Thread.ofPlatform()
                    .name("agent-containerd-log")
                    .daemon()
                    .start(guard.guarded(PLACE, () -> readJournal(started)));
        } catch (IOException e) {
            problem =
                    "it is in no file that is known, and there is no journalctl here (--containerd-log=FILE names it)";
        }
    }

    private void readJournal(Process started) {
        try (BufferedReader text = started.inputReader(StandardCharsets.UTF_8)) {
            // journald has cut longer lines (LineMax=).
            for (String line = text.readLine(); line != null; line = text.readLine()) {
                String read = line;
                onThread(() -> accept(read));
            }
        } catch (IOException e) {
            LOG.debug("the journal ended", e);
        } finally {
            started.destroy();
            onThread(() -> {
                journal = null;
                problem = "journalctl ended";
            });
        }
    }

    private void onThread(Runnable task) {
        try {
            thread.execute(guard.guarded(PLACE, task));
        } catch (RejectedExecutionException e) {
            // The agent ends.
        }
    }

    // ---- both

    @SuppressWarnings("NonAtomicVolatileUpdate") // One thread writes.
    private void accept(String line) {
        if (line.length() > LogFile.MAX_LINE_BYTES) {
            return;
        }
        Optional<ContainerdLine> read = ContainerdLine.of(line);
        if (read.isEmpty()) {
            return;
        }
        if (!plausible.isTime(read.get().time())) {
            implausible++;
            return;
        }
        if (firstLine == null) {
            firstLine = read.get().time();
        }
        lastLine = read.get().time();
        if (read.get().kind() != ContainerdLine.Kind.OTHER) {
            requests.accept(read.get());
        }
    }

    /** Returns why the log cannot say who had a container end then; empty if it was read from before that time on. */
    String missing(Instant endedAt) {
        Instant first = firstLine;
        if (where.equals(OFF)) {
            return "it is not read (--containerd-log=off)";
        }
        if (!problem.isEmpty()) {
            return problem;
        }
        if (first == null) {
            return name + " has no informational line of containerd";
        }
        return first.isAfter(endedAt) ? name + " begins after this end" : "";
    }

    /** Returns the state of the log; empty if it is not wanted. */
    Optional<SourceStatus> status() {
        if (where.equals(OFF)) {
            return Optional.empty();
        }
        String now = missing(Instant.MAX);
        boolean lost = leftOut > 0 || implausible > 0;
        State state = !now.isEmpty() ? State.UNAVAILABLE : lost ? State.DEGRADED : State.ACTIVE;
        return Optional.of(SourceStatus.newBuilder()
                .setName("containerd-log")
                .setState(state)
                .setDetail(
                        !now.isEmpty()
                                ? now + ": who asked for a stop is not known"
                                : lost
                                        ? name + ": " + leftOut + " times a line was too long or the file was cut, "
                                                + implausible + " lines had a time that cannot be"
                                        : "")
                .build());
    }

    @Override
    public void close() {
        ended = true;
        Process running = journal;
        if (running != null) {
            running.destroy();
        }
        LogFile open = file;
        file = null;
        if (open != null) {
            try {
                open.close();
            } catch (IOException e) {
                LOG.debug("containerd's log", e);
            }
        }
    }
}
