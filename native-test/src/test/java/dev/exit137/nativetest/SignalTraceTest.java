package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.trace.SenderCommand;
import dev.exit137.agent.trace.TraceSource;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.proto.v1.ProcessRef;
import dev.exit137.proto.v1.Sender;
import dev.exit137.proto.v1.SourceStatus.State;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollIoOps;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Who sent a SIGKILL, by this machine's own kernel. */
@Tag("kernel")
class SignalTraceTest {
    private static final String BED = "the kernel's trace of signals";
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final int STORM = 20_000;
    /** Of a SIGKILL: the signal and the stack. */
    private static final int RECORDS_PER_KILL = 2;

    private final Path out = Bed.freshDirectory("signal-trace");
    private final List<TraceSource> sources = new CopyOnWriteArrayList<>();
    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final IoEventLoop loop = group.next();
    private TraceFs tracefs;

    /** The signals that one agent got. */
    private static final class Seen {
        private final List<SentSignal> signals = new CopyOnWriteArrayList<>();
        /** By identity: the hash of a signal looks the names of its stack up. */
        private final Map<SentSignal, Boolean> recovered = Collections.synchronizedMap(new IdentityHashMap<>());

        private void add(SentSignal signal, boolean isRecovered) {
            recovered.put(signal, isRecovered);
            signals.add(signal);
        }

        private List<SentSignal> to(long pid) {
            return signals.stream().filter(signal -> signal.victimPid() == pid).toList();
        }

        private SentSignal awaitTo(long pid) {
            return Bed.await("the signal to " + pid, LIMIT, () -> to(pid), found -> !found.isEmpty())
                    .getFirst();
        }
    }

    @BeforeEach
    void mount() {
        tracefs = TraceFs.mount(BED, out);
    }

    @AfterEach
    void cleanUp() throws Exception {
        for (TraceSource source : sources) {
            onLoop(source::remove);
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        Bed.close(tracefs);
    }

    private void onLoop(Runnable task) throws Exception {
        loop.submit(task).get();
    }

    private TraceSource open(String state, Seen seen, List<Path> mounts) throws Exception {
        Path stateDir = Files.createDirectories(out.resolve(state));
        TraceSource.Settings onNode = TraceSource.Settings.of(stateDir, Path.of("/proc"), new SenderCommand(false), 0);
        TraceSource source = new TraceSource(
                new TraceSource.Settings(stateDir, onNode.procRoot(), mounts, onNode.onlineCpus(), onNode.command(), 0),
                seen::add,
                registrar(),
                System::nanoTime,
                InstantSource.system(),
                new Guard());
        sources.add(source);
        onLoop(() -> {
            source.open();
            source.readAll();
            source.follow();
        });
        assertThat(source.status().getState()).as(source.status().getDetail()).isEqualTo(State.ACTIVE);
        return source;
    }

    private TraceSource open(String state, Seen seen) throws Exception {
        return open(state, seen, List.of(tracefs.root()));
    }

    private Function<EpollIoHandle, IoRegistration> registrar() {
        return handle -> {
            IoRegistration registration = loop.register(handle).getNow();
            registration.submit(EpollIoOps.EPOLLIN);
            return registration;
        };
    }

    /** A shell that kills a child of its own, prints the child's pid, and lives on until its input ends. */
    private Process killer(String before) throws IOException {
        return new ProcessBuilder(
                        "bash", "-c", before + "sleep 600 & echo $!; read -r go; kill -9 $!; echo killed; read -r end")
                .start();
    }

    private static long victimOf(Process shell) throws IOException {
        return Long.parseLong(shell.inputReader().readLine());
    }

    private static void go(Process shell) throws IOException {
        shell.outputWriter().write("go\n");
        shell.outputWriter().flush();
    }

    @Test
    void theKillOfAShellHasItsSenderAndItsParents() throws Exception {
        Seen seen = new Seen();
        open("state", seen);
        Process shell = killer("");
        long victim = victimOf(shell);
        Instant before = Instant.now();
        go(shell);
        SentSignal signal = seen.awaitTo(victim);
        Instant after = Instant.now();
        shell.destroy();

        Sender sender = signal.sender();
        assertThat(sender.getPid()).isEqualTo((int) shell.pid());
        assertThat(sender.getTgid()).isEqualTo((int) shell.pid());
        assertThat(sender.getExe()).endsWith("/bash");
        assertThat(sender.getCmdline()).isEqualTo("bash");
        assertThat(sender.hasUid()).isTrue();
        assertThat(sender.getUid()).isZero();
        assertThat(sender.getCgroup()).startsWith("/");
        // The victim may be gone before it is read.
        assertThat(signal.victimCgroup()).isIn("", sender.getCgroup());
        assertThat(sender.getParentsList().getFirst())
                .extracting(ProcessRef::getPid)
                .isEqualTo((int) ProcessHandle.current().pid());
        assertThat(sender.getParentsList().getFirst().getExe()).endsWith("/java");
        // The victim may be killed before its exec.
        assertThat(signal.victimComm()).isIn("sleep", "bash");
        assertThat(signal.delivered()).isTrue();
        assertThat(signal.kernelPath()).anyMatch(name -> name.contains("sys_kill"));
        assertThat(signal.time()).isBetween(before, after);
        assertThat(seen.recovered).containsEntry(signal, false);
    }

    @Test
    void aNameThatAProcessGaveItselfIsNotItsExecutable() throws Exception {
        Seen seen = new Seen();
        open("state", seen);
        Process shell = killer("echo -n runc > /proc/$$/comm; ");
        long victim = victimOf(shell);
        go(shell);
        Sender sender = seen.awaitTo(victim).sender();
        shell.destroy();
        assertThat(sender.getComm()).isEqualTo("runc");
        assertThat(sender.getExe()).endsWith("/bash");
        assertThat(sender.getCmdline()).isEqualTo("bash");
    }

    @Test
    void anAgentMountsTracefsForItselfAndLeavesNoMount() throws Exception {
        Seen seen = new Seen();
        TraceSource source = open("own-mount", seen, List.of());
        assertThat(out.resolve("own-mount")).isEmptyDirectory();
        assertThat(Files.readString(Path.of("/proc/self/mountinfo"))).doesNotContain("own-mount");
        Process shell = killer("");
        long victim = victimOf(shell);
        go(shell);
        assertThat(seen.awaitTo(victim).sender().getExe()).endsWith("/bash");
        shell.destroy();
        onLoop(source::remove);
        assertThat(tracefs.instances()).isEmpty();
    }

    @Test
    void twoAgentsOnOneMachineSeeEveryKill() throws Exception {
        Seen first = new Seen();
        Seen second = new Seen();
        open("first", first);
        open("second", second);
        assertThat(tracefs.instances()).hasSize(2);
        Process shell = killer("");
        long victim = victimOf(shell);
        go(shell);
        first.awaitTo(victim);
        second.awaitTo(victim);
        shell.destroy();
    }

    @Test
    void theNextAgentReadsWhatWasKeptForIt() throws Exception {
        Seen first = new Seen();
        TraceSource before = open("state", first);
        Instant since = before.since();
        onLoop(before::close);
        assertThat(tracefs.instances()).as("it goes on recording").hasSize(1);
        Process shell = killer("");
        long victim = victimOf(shell);
        go(shell);
        assertThat(shell.inputReader().readLine()).isEqualTo("killed");
        shell.destroy();
        shell.waitFor();

        Seen second = new Seen();
        TraceSource after = open("state", second);
        List<SentSignal> kept = second.to(victim);
        assertThat(kept).hasSize(1);
        assertThat(second.recovered).containsEntry(kept.getFirst(), true);
        assertThat(kept.getFirst().kernelPath()).anyMatch(name -> name.contains("sys_kill"));
        assertThat(kept.getFirst().sender().getPid()).isEqualTo((int) shell.pid());
        assertThat(first.to(victim)).isEmpty();
        assertThat(after.since())
                .as("the first agent may have read the signals before")
                .isNotNull()
                .isAfter(since);
        assertThat(tracefs.instances()).hasSize(1);
    }

    @Test
    void theInstanceOfADeadAgentIsRemovedAndThatOfALivingOneIsNot() throws Exception {
        open("living", new Seen());
        Path living = tracefs.instances().getFirst();
        Path dead = Files.createDirectory(tracefs.root().resolve("instances/exit137-00000000feedbeef"));
        FileTime longAgo = FileTime.from(Instant.now().minus(Duration.ofHours(1)));
        Files.setLastModifiedTime(dead, longAgo);
        Files.setLastModifiedTime(living, longAgo);
        open("new", new Seen());
        assertThat(dead).doesNotExist();
        assertThat(living).as("its files are open").exists();
        assertThat(tracefs.instances()).hasSize(2);
    }

    @Test
    void ofAStormEveryRecordIsReadOrCounted() throws Exception {
        Seen seen = new Seen();
        TraceSource source = open("state", seen);
        storm(seen, source, () -> {});
    }

    @Test
    void ofAStormThatNobodyReadsTheOverrunIsCounted() throws Exception {
        Seen seen = new Seen();
        TraceSource source = open("state", seen);
        storm(seen, source, () -> {
            // The thread is busy: nothing is read until the storm is over.
            loop.execute(() ->
                    Bed.await("the end of the storm", LIMIT, () -> Files.exists(out.resolve("over")), over -> over));
        });
        assertThat(source.recordsLost()).isPositive();
    }

    private void storm(Seen seen, TraceSource source, Runnable begin) throws Exception {
        Path instance = tracefs.instances().getFirst();
        // The victim stays a zombie: its parent never waits for it, once it is no shell any more.
        Process shell = new ProcessBuilder("bash", "-c", """
                echo $$ > %s/set_event_pid
                bash -c 'sleep 600 & echo $!; exec sleep 600' > victim & parent=$!
                until [[ -s victim && $(< /proc/$parent/comm) == sleep ]]; do :; done
                read -r victim < victim
                echo $victim; read -r go
                for i in {1..%d}; do kill -9 $victim || exit; done
                touch over
                read -r end
                kill $parent
                """.formatted(instance, STORM))
                .directory(out.toFile())
                .start();
        long victim = victimOf(shell);
        long before = source.recordsRead();
        begin.run();
        go(shell);
        Bed.await("the end of the storm", LIMIT, () -> Files.exists(out.resolve("over")), over -> over);
        onLoop(source::tick);
        onLoop(source::tick);

        long read = source.recordsRead() - before;
        assertThat(read + source.recordsLost())
                .as("%d read, %d lost", read, source.recordsLost())
                .isEqualTo((long) STORM * RECORDS_PER_KILL);
        long delivered = seen.to(victim).size();
        assertThat(delivered).isBetween(STORM - source.recordsLost(), (long) STORM);
        assertThat(source.recordsMalformed()).isZero();
        System.out.println(
                "a storm of " + STORM + " kills: " + delivered + " signals, " + source.recordsLost() + " records lost");
        shell.outputWriter().close();
        shell.waitFor();
    }
}
