package dev.exit137.agent.trace;

import static java.util.stream.Collectors.joining;

import dev.exit137.agent.linux.Descriptor;
import dev.exit137.agent.linux.FileReader;
import dev.exit137.agent.linux.NativeMemory;
import dev.exit137.agent.linux.ProcessFiles;
import dev.exit137.agent.linux.Sys;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The kernel's trace of SIGKILL and SIGTERM as a source of evidence: each signal with its sender, read from procfs at
 * once, and with the kernel's path to it. It is the event {@code signal_generate} with the trigger {@code stacktrace} in a
 * tracefs instance of this agent ({@link TraceInstance}).
 *
 * <p>What the kernel overwrote before it was read is counted exactly. Records that the instance kept while no agent ran
 * are handed over first, as recovered. Without tracefs, or without a part of it, the status says what is missing.
 *
 * <p>Owned by the agent-epoll thread, which it blocks only for reading files of the kernel. Reading allocates nothing for
 * records that make no signal.
 */
public final class TraceSource implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(TraceSource.class);
    private static final String NAME = "trace";
    private static final String CONSEQUENCE = "; without the trace, the sender of a signal is not known";
    private static final int RETRY_TICKS = 60;
    /** An idle second costs little more than a read for each processor. */
    static final int SLOW_TICKS = 10;

    private static final int STATS_BYTES = 1024;

    /** Receives the signals, on the agent-epoll thread. */
    public interface Sink {
        /**
         * A signal; those of one processor come in their order.
         *
         * @param recovered it was sent before this agent opened the trace
         */
        void onSignal(SentSignal signal, boolean recovered);
    }

    /**
     * Where the source reads.
     *
     * @param stateDir the agent's state directory, which no other agent uses
     * @param procRoot the host's procfs
     * @param tracefs where tracefs may be mounted
     * @param onlineCpus the kernel's list of processors in use, such as {@code 0-3,8}
     * @param command what is kept of a sender's command line
     * @param lostBefore records that earlier agents lost in this boot, as their last checkpoint has it
     */
    public record Settings(
            Path stateDir, Path procRoot, List<Path> tracefs, Path onlineCpus, SenderCommand command, long lostBefore) {
        /** Copies the mutable list. */
        public Settings {
            tracefs = List.copyOf(tracefs);
        }

        /** The settings of an agent on a node. */
        public static Settings of(Path stateDir, Path procRoot, SenderCommand command, long lostBefore) {
            return new Settings(
                    stateDir,
                    procRoot,
                    List.of(Path.of("/sys/kernel/tracing"), Path.of("/sys/kernel/debug/tracing")),
                    Path.of("/sys/devices/system/cpu/online"),
                    command,
                    lostBefore);
        }
    }

    private final Settings settings;
    private final Sink sink;
    private final Function<EpollIoHandle, IoRegistration> registrar;
    private final Guard guard;
    private final TraceClock clock;
    private final KernelSymbols symbols;
    private final SenderReader senders;
    private final FileReader stats = new FileReader(STATS_BYTES);
    private final TreeMap<Integer, CpuTrace> cpus = new TreeMap<>();
    private @Nullable TraceMount mount;
    private @Nullable TraceInstance instance;
    private @Nullable TraceLayout layout;
    private @Nullable SignalReader signals;
    private @Nullable NativeMemory pageMemory;
    private Descriptor instanceDirectory = new Descriptor(-Sys.EBADF);
    private String unavailable = "it is not open";
    private boolean hasSymbols;
    private boolean following;
    private long lost;
    private long recordsBefore;
    private long malformedBefore;
    private long ticks;

    /**
     * Creates a source that is not open.
     *
     * @param registrar registers a handle for readable records, until the returned registration is cancelled
     * @param monotonicNanos CLOCK_MONOTONIC: System.nanoTime() on Linux
     * @param wall the node's wall clock
     * @param guard of this process
     */
    public TraceSource(
            Settings settings,
            Sink sink,
            Function<EpollIoHandle, IoRegistration> registrar,
            LongSupplier monotonicNanos,
            InstantSource wall,
            Guard guard) {
        this.settings = settings;
        this.registrar = registrar;
        this.guard = guard;
        // A signal that the sink fails on must not take the rest of its page along.
        this.sink = (signal, recovered) -> guard.run(NAME, () -> sink.onSignal(signal, recovered));
        clock = new TraceClock(monotonicNanos, wall, new ProcessFiles(settings.procRoot()));
        symbols = new KernelSymbols(settings.procRoot());
        senders = new SenderReader(settings.procRoot(), settings.command(), clock);
        lost = settings.lostBefore();
    }

    /** Opens the trace, and lets it record. If that is not possible, {@link #status} says why, and it is tried again. */
    public void open() {
        try {
            openAll();
            unavailable = "";
            removeAbandoned();
        } catch (IOException | RuntimeException e) {
            closeAll();
            String reason = reason(e);
            if (!reason.equals(unavailable)) {
                LOG.warn("the kernel's trace of signals is not in use: {}", reason);
            }
            unavailable = reason;
        }
    }

    private static String reason(Exception e) {
        // Ours have the whole reason; those of the file system have the file, and maybe the kernel's words.
        String reason = e.getClass() == IOException.class ? e.getMessage() : e.toString();
        return reason + CONSEQUENCE;
    }

    private void openAll() throws IOException {
        Files.createDirectories(settings.stateDir());
        TraceMount tracefs =
                TraceMount.find(settings.tracefs(), settings.stateDir().resolve("tracefs"));
        mount = tracefs;
        TraceLayout read = TraceLayout.read(tracefs.root().resolve("events"));
        layout = read;
        List<Integer> online = onlineCpus();
        TraceInstance opened =
                TraceInstance.open(tracefs.root(), TraceInstance.name(settings.stateDir()), online.size(), clock.now());
        instance = opened;
        clock.adjust();
        senders.open();
        senders.warmUp((int) ProcessHandle.current().pid());
        hasSymbols = symbols.isReadable();
        pageMemory = Sys.allocate(read.pageBytes());
        signals = new SignalReader(read, senders, symbols, clock, sink, clock.nowNanos());
        instanceDirectory =
                new Descriptor(Sys.open(opened.directory().toString(), Sys.O_PATH | Sys.O_DIRECTORY | Sys.O_CLOEXEC));
        openCpus(online);
        long sinceItWasMade = newlyLost();
        // The instance's own count goes on over restarts, as earlier agents' checkpoints do.
        lost = opened.isAdopted() ? Math.max(lost, sinceItWasMade) : lost + sinceItWasMade;
    }

    /** The processors in use: one that never was has no buffer, and its file is not to be polled. */
    private List<Integer> onlineCpus() throws IOException {
        List<Integer> online = new ArrayList<>();
        for (String range : Files.readString(settings.onlineCpus()).strip().split(",", -1)) {
            String[] ends = range.split("-", 2);
            int last = Integer.parseInt(ends[ends.length - 1]);
            for (int cpu = Integer.parseInt(ends[0]); cpu <= last; cpu++) {
                online.add(cpu);
            }
        }
        return online;
    }

    private void openCpus(List<Integer> online) {
        TraceInstance opened = Objects.requireNonNull(instance);
        TraceLayout read = Objects.requireNonNull(layout);
        for (int number : online) {
            CpuTrace cpu = cpus.get(number);
            if (cpu == null) {
                cpu = new CpuTrace(
                        opened.directory(),
                        number,
                        Objects.requireNonNull(pageMemory),
                        read.pageBytes(),
                        Objects.requireNonNull(signals),
                        senders,
                        guard);
                cpus.put(number, cpu);
            }
            if (!cpu.isOpen()) {
                cpu.open();
            }
            if (following) {
                cpu.follow(registrar);
            }
        }
    }

    /** Reads every record that is there now, without waiting. The first call hands over what was kept for this agent. */
    public void readAll() {
        senders.onWakeUp();
        cpus.values().forEach(CpuTrace::drain);
    }

    /** Waits for records from now on, with the registrar. */
    public void follow() {
        following = true;
        cpus.values().forEach(cpu -> cpu.follow(registrar));
    }

    /**
     * Periodic work, for about once a second: reads the counts of losses, and what no wake-up was for. More seldom: looks for
     * new processors and for the time that the machine slept, and says that this agent lives.
     */
    public void tick() {
        ticks++;
        TraceInstance open = instance;
        if (open == null) {
            if (ticks % RETRY_TICKS == 0) {
                open();
            }
            return;
        }
        readAll();
        lost += newlyLost();
        if (ticks % SLOW_TICKS != 0) {
            return;
        }
        clock.adjust();
        open.renew(clock.now());
        try {
            openCpus(onlineCpus());
        } catch (IOException | RuntimeException e) {
            guard.caught(NAME, e);
        }
        if (ticks % RETRY_TICKS == 0) {
            removeAbandoned();
        }
    }

    private void removeAbandoned() {
        try {
            TraceInstance.removeAbandoned(
                    Objects.requireNonNull(mount).root(),
                    Objects.requireNonNull(instance).directory(),
                    clock.now());
        } catch (IOException e) {
            guard.caught(NAME, e);
        }
    }

    private long newlyLost() {
        long all = 0;
        for (CpuTrace cpu : cpus.values()) {
            all += cpu.newlyLost(stats, instanceDirectory.number());
        }
        return all;
    }

    /** Whether signals are read. */
    public boolean isOpen() {
        return instance != null;
    }

    /**
     * Since when every signal is in the trace, apart from {@link #recordsLost}; null if it is not open. It may be earlier
     * than this agent, if a predecessor made the instance: that one had read what came before, and took it with it.
     */
    public @Nullable Instant since() {
        TraceInstance open = instance;
        return open == null ? null : open.since();
    }

    /** Records that this agent read, of every kind: a signal, and the stack of a SIGKILL. */
    public long recordsRead() {
        return recordsBefore + (signals == null ? 0 : signals.records());
    }

    /** Records that the kernel overwrote before they were read, since the boot; it only grows. */
    public long recordsLost() {
        return lost;
    }

    /** Records of this agent's time that could not be read; it only grows. */
    public long recordsMalformed() {
        return malformedBefore + (signals == null ? 0 : signals.malformed());
    }

    /** The state of the source {@code trace}, with the problem and its remedy. */
    public SourceStatus status() {
        SourceStatus.Builder status = SourceStatus.newBuilder().setName(NAME);
        if (!isOpen()) {
            return status.setState(State.UNAVAILABLE).setDetail(unavailable).build();
        }
        String problems = Stream.concat(
                        Stream.of(stackProblem(), procfsProblem()),
                        cpus.values().stream().map(CpuTrace::problem))
                .filter(problem -> !problem.isEmpty())
                .collect(joining("; "));
        return status.setState(problems.isEmpty() ? State.ACTIVE : State.DEGRADED)
                .setDetail(problems)
                .build();
    }

    private String stackProblem() {
        if (!Objects.requireNonNull(instance).hasStacks()) {
            return "the kernel has no trigger `stacktrace` (CONFIG_STACKTRACE, CONFIG_HIST_TRIGGERS): the kernel's path to a"
                    + " signal is not known";
        }
        if (!hasSymbols) {
            return "kallsyms has no addresses: the kernel's path to a signal is not known; set kernel.kptr_restrict to 1 or"
                    + " 0, and give the agent CAP_SYSLOG";
        }
        return signals != null && signals.lacksStacks()
                ? "this kernel writes no stacks to instances: the kernel's path to a signal is not known; Linux 5.17 does, and"
                        + " stable kernels since 2022"
                : "";
    }

    private String procfsProblem() {
        return senders.countsAsTheKernel()
                ? ""
                : "the pids below --proc-root are not the kernel's: of a sender only its pid is known; give the agent the"
                        + " host's pids";
    }

    /** Ends reading. The instance goes on recording, for the next agent with this state directory. */
    @Override
    public void close() {
        following = false;
        unavailable = "it is closed";
        closeAll();
    }

    /** Ends reading, and removes the instance: no agent comes after this one. */
    public void remove() {
        TraceInstance last = instance;
        following = false;
        unavailable = "it is closed";
        closeCpus();
        if (last != null) {
            try {
                last.remove();
            } catch (IOException e) {
                LOG.warn(
                        "the tracefs instance {} could not be removed: {}",
                        last.directory().getFileName(),
                        e.toString());
            }
        }
        closeAll();
    }

    private void closeCpus() {
        cpus.values().forEach(CpuTrace::close);
        cpus.clear();
        instanceDirectory.close();
    }

    private void closeAll() {
        closeCpus();
        senders.close();
        SignalReader last = signals;
        if (last != null) {
            recordsBefore += last.records();
            malformedBefore += last.malformed();
        }
        signals = null;
        instance = null;
        if (mount != null) {
            mount.close();
        }
        mount = null;
    }
}
