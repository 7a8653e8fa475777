package dev.exit137.agent.systemd;

import dev.exit137.agent.exit.EndListener;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.guard.GuardedThread;
import dev.exit137.exitreport.facts.JournalLine;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Learns of the ends of the node's systemd services, where there is a systemd: it connects to the bus, and again after a
 * failure, and follows the journal. The bus' calls block the agent-systemd thread, the journal has a thread of its own,
 * and the listener is called on the thread that it is given. The bus' library is loaded once a bus is there.
 */
public final class SystemdUnits implements AutoCloseable {
    /** Look for the bus at the usual place. */
    public static final String AUTO = "auto";
    /** Do not look for a bus. */
    public static final String OFF = "off";

    private static final Logger LOG = LoggerFactory.getLogger(SystemdUnits.class);
    private static final String PLACE = "systemd";
    private static final Path USUAL_SOCKET = Path.of("/run/dbus/system_bus_socket");
    /** systemd makes it, and only where it is process 1 (sd_booted(3)). */
    private static final Path BOOTED = Path.of("/run/systemd/system");

    private static final int LOOK_EVERY_SECONDS = 5;
    private static final int CLOSE_SECONDS = 2;

    private final boolean isOff;
    private final boolean isAuto;
    private final Path socket;
    private final Executor ends;
    private final Guard guard;
    private final UnitEnds units;
    private final GuardedThread thread;
    private final JournalReader journal;
    private @Nullable SystemdBus bus;
    private @Nullable Thread follower;
    private volatile boolean hasNoJournal;
    private volatile boolean closed;
    private volatile long lies;
    /** Why there is no connection; empty while there is one, null where there is no systemd. */
    private volatile @Nullable String problem;

    /**
     * @param busSocket path of the system bus' socket, {@link #AUTO} or {@link #OFF}
     * @param endsSince earlier ends are not reported
     * @param ends the thread on which the listener is called
     * @param clock the node's wall clock
     * @param guard of this process
     */
    public SystemdUnits(
            String busSocket,
            EndListener listener,
            Instant endsSince,
            Executor ends,
            InstantSource clock,
            Guard guard) {
        isOff = busSocket.equals(OFF);
        isAuto = busSocket.equals(AUTO);
        socket = isAuto || isOff ? USUAL_SOCKET : Path.of(busSocket);
        this.ends = ends;
        this.guard = guard;
        units = new UnitEnds(listener, this::details, endsSince, clock, guard);
        thread = new GuardedThread(
                Thread.ofPlatform().name("agent-systemd").daemon().factory(), PLACE, guard);
        journal = new JournalReader(endsSince, this::onLine);
    }

    /** Starts to look for the bus. */
    public void start() {
        if (!isOff) {
            thread.scheduleWithFixedDelay(this::look, 0, LOOK_EVERY_SECONDS, TimeUnit.SECONDS);
        }
    }

    /** Returns the state of the connection; empty where there is no systemd, or it is off. */
    public Optional<SourceStatus> status() {
        String now = problem;
        if (now == null) {
            return Optional.empty();
        }
        long foreign = lies + journal.lies();
        return Optional.of(SourceStatus.newBuilder()
                .setName("systemd")
                .setState(now.isEmpty() ? State.ACTIVE : State.UNAVAILABLE)
                .setDetail(foreign == 0 ? now : now + "(" + foreign + " messages in systemd's name were not its own)")
                .build());
    }

    // ---- agent-systemd thread

    private void look() {
        SystemdBus present = bus;
        if (present != null && present.isConnected()) {
            follow();
            return;
        }
        boolean booted = Files.isDirectory(BOOTED);
        if (isAuto && !booted && !Files.exists(socket)) {
            return;
        }
        if (present != null) {
            bus = null;
            present.close();
        }
        try {
            Receiver receiver = new Receiver();
            SystemdBus connected = SystemdBus.connect(socket.toString(), receiver);
            bus = connected;
            problem = "";
            LOG.info("systemd answers at {}", socket);
            follow();
            connected.tellOfEnded(receiver);
        } catch (IOException | LinkageError e) {
            String reason = String.valueOf(e.getMessage());
            if (isAuto && !booted) {
                // A bus without systemd, as in some containers.
                return;
            }
            if (!reason.equals(problem)) {
                LOG.warn("systemd: {}. Ends of services are not seen.", reason);
            }
            problem = reason;
        }
    }

    /** Follows the journal, again if journalctl has ended; a node without it has the bus alone. */
    private void follow() {
        if (hasNoJournal || (follower != null && follower.isAlive())) {
            return;
        }
        follower = Thread.ofPlatform().name("agent-journal").daemon().start(guard.guarded(PLACE, () -> {
            try {
                journal.read();
            } catch (IOException e) {
                hasNoJournal = true;
                if (!closed) {
                    LOG.info("the journal cannot be followed: {}", e.getMessage());
                }
            }
        }));
    }

    private CompletableFuture<UnitDetails> details(String unit) {
        try {
            return CompletableFuture.supplyAsync(
                            () -> {
                                SystemdBus present = bus;
                                return present == null ? UnitDetails.UNKNOWN : present.details(unit);
                            },
                            thread)
                    .thenApplyAsync(details -> details, ends);
        } catch (RejectedExecutionException e) {
            // The agent ends.
            return CompletableFuture.failedFuture(e);
        }
    }

    // ---- threads of dbus-java, and agent-journal

    private void onLine(JournalLine line) {
        run(ends, () -> units.onLine(line));
    }

    private void run(Executor executor, Runnable task) {
        try {
            executor.execute(guard.guarded(PLACE, task));
        } catch (RejectedExecutionException e) {
            // The agent ends.
        }
    }

    private final class Receiver implements SystemdBus.Receiver {
        @Override
        public void onJob(long id, String path, String unit) {
            run(ends, () -> units.onJob(id, unit, ""));
            run(thread, () -> {
                SystemdBus present = bus;
                String type = present == null ? "" : present.jobType(path);
                if (!type.isEmpty()) {
                    run(ends, () -> units.onJob(id, unit, type));
                }
            });
        }

        @Override
        public void onProperties(String unit, Map<String, Object> changed) {
            run(ends, () -> units.onProperties(unit, changed));
        }

        @Override
        @SuppressWarnings("NonAtomicVolatileUpdate") // dbus-java hands signals on one by one.
        public void onLie() {
            lies++;
        }
    }

    @Override
    public void close() {
        closed = true;
        journal.close();
        thread.execute(() -> {
            SystemdBus present = bus;
            if (present != null) {
                present.close();
            }
        });
        thread.shutdown();
        try {
            thread.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            thread.shutdownNow();
        }
    }
}
