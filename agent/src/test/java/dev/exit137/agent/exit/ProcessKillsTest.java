package dev.exit137.agent.exit;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Subject;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.ProcessRef;
import dev.exit137.proto.v1.Sender;
import dev.exit137.proto.v1.Victim;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A SIGKILL is the end of a process, unless it belongs to the end of a container or a service. */
class ProcessKillsTest {
    private static final Instant START = Instant.parse("2001-02-03T04:00:00Z");
    private static final Instant KILL = Instant.parse("2001-02-03T04:05:06.789Z");
    private static final String ID = "4f0c2d1e9a7b6c5d4e3f2a1b0c9d8e7f4f0c2d1e9a7b6c5d4e3f2a1b0c9d8e7f";
    private static final String CGROUP = "/docker/" + ID;
    private static final int INIT = 4711;
    private static final int VICTIM = 4720;
    private static final int SI_KERNEL = 128;
    private static final Sender SHELL = Sender.newBuilder()
            .setPid(901)
            .setExe("/usr/bin/bash")
            .setUid(0)
            .setCgroup("/user.slice/session-1.scope")
            .build();

    private final ScheduledExecutorService worker = Executors.newSingleThreadScheduledExecutor();
    private final List<ExitEvent> out = new ArrayList<>();
    private final SignalBook signals = new SignalBook();
    private final Guard guard = new Guard();
    private final ExitJoiner joiner = new ExitJoiner(
            Node.newBuilder().setBootId("boot").build(),
            signals,
            new ExitJoiner.Containers() {
                @Override
                public Optional<Container> find(String id) {
                    return Optional.of(
                            Container.newBuilder().setId(id).setName("web").build());
                }

                @Override
                public Optional<Integer> mainPid(String id, Instant endedAt) {
                    return id.equals(ID) ? Optional.of(INIT) : Optional.empty();
                }

                @Override
                public Optional<Integer> shimPid(String id) {
                    return Optional.empty();
                }
            },
            out::add,
            worker,
            InstantSource.fixed(START),
            guard);
    private long nanoTime;
    private final ProcessKills kills = new ProcessKills(joiner, worker, Duration.ZERO, () -> nanoTime, guard);

    @AfterEach
    void close() {
        worker.shutdownNow();
        assertThat(guard.counts()).isEmpty();
    }

    private static SentSignal kill(int victim, int code, Instant time, Sender sender, String cgroup) {
        return new SentSignal(
                time,
                9,
                code,
                victim,
                "web",
                true,
                true,
                false,
                List.of(code == 0 ? "__x64_sys_kill" : "zap_pid_ns_processes"),
                sender,
                cgroup,
                "/bin/web");
    }

    private static SentSignal kill(int victim, Instant time, String cgroup) {
        return kill(victim, 0, time, SHELL, cgroup);
    }

    private void take(SentSignal signal) {
        signals.add(signal);
        kills.onSignal(signal);
    }

    /** All events, once everything that was taken is decided. */
    private List<ExitEvent> events() throws Exception {
        worker.schedule(() -> {}, 1, TimeUnit.MILLISECONDS).get();
        return out;
    }

    private void onWorker(Runnable task) throws Exception {
        worker.submit(task).get();
    }

    private static End endOfContainer(Instant time, int code) {
        Timestamp endedAt = EventFactory.timestamp(time);
        return new End(
                ExitEvent.newBuilder()
                        .setSubject(Subject.CONTAINER)
                        .setContainer(Container.newBuilder().setId(ID))
                        .setProcess(ProcessRef.newBuilder().setPid(INIT))
                        .setExitCode(code)
                        .setStartedAt(EventFactory.timestamp(time.minusSeconds(100)))
                        .setTime(endedAt)
                        .build(),
                List.of(),
                null);
    }

    @Test
    void aProcessOfTheHostIsAnEventOfItsOwn() throws Exception {
        take(kill(VICTIM, KILL, "/user.slice/session-1.scope"));
        assertThat(events()).hasSize(1);
        ExitEvent event = out.getFirst();
        assertThat(event.getSubject()).isEqualTo(Subject.PROCESS);
        assertThat(event.getEventId()).isEqualTo("boot/exit/process/" + VICTIM + "/" + KILL.toEpochMilli());
        assertThat(event.getCause()).as("they share a login alone").isEqualTo(Cause.HOST_PROCESS);
        assertThat(event.getProcess().getExe()).isEqualTo("/bin/web");
        assertThat(event.getUnit()).isEqualTo("session-1.scope");
        assertThat(event.hasContainer()).isFalse();
        assertThat(event.getExitCode()).isEqualTo(137);
        assertThat(event.getRecovered()).isFalse();
    }

    @Test
    void aWorkerOfALivingContainerIsAnEventWithTheContainersName() throws Exception {
        Sender init = Sender.newBuilder()
                .setPid(INIT)
                .setExe("/bin/supervisor")
                .setCgroup(CGROUP)
                .build();
        take(kill(VICTIM, 0, KILL, init, CGROUP));
        assertThat(events()).hasSize(1);
        assertThat(out.getFirst().getContainer().getName()).isEqualTo("web");
        assertThat(out.getFirst().getCause()).isEqualTo(Cause.SAME_CONTAINER_PROCESS);
    }

    @Test
    void aSignalThatTheKernelDroppedEndedNothing() throws Exception {
        SentSignal kill = kill(VICTIM, KILL, "/");
        take(new SentSignal(
                kill.time(), 9, 0, VICTIM, "web", true, false, false, kill.kernelPath(), SHELL, kill.victimCgroup()));
        take(new SentSignal(
                kill.time(), 15, 0, VICTIM, "web", true, true, false, List.of(), SHELL, kill.victimCgroup()));
        assertThat(events()).isEmpty();
    }

    @Test
    void theKillOfAContainersMainProcessIsTheContainersEnd() throws Exception {
        signals.wholeSince(START);
        SentSignal kill = kill(INIT, KILL, CGROUP);
        signals.add(kill);
        onWorker(() -> joiner.onEnd(endOfContainer(KILL.plusMillis(150), 137)));
        kills.onSignal(kill);
        assertThat(events()).extracting(ExitEvent::getSubject).containsExactly(Subject.CONTAINER);
    }

    @Test
    void whatAContainersEndTookAlongIsNoEvent() throws Exception {
        signals.wholeSince(START);
        signals.add(kill(INIT, KILL, ""));
        SentSignal second = kill(VICTIM, KILL.plusMillis(200), CGROUP);
        signals.add(second);
        onWorker(() -> joiner.onEnd(endOfContainer(KILL.plusMillis(150), 137)));
        kills.onSignal(second);
        assertThat(events()).extracting(ExitEvent::getSubject).containsExactly(Subject.CONTAINER);
    }

    @Test
    void whatTheEndOfAServiceTookAlongIsNoEvent() throws Exception {
        signals.wholeSince(START);
        String cgroup = "/system.slice/web.service";
        signals.add(kill(INIT, KILL, cgroup));
        SentSignal second = kill(VICTIM, KILL.plusMillis(20), cgroup);
        signals.add(second);
        End end = new End(
                ExitEvent.newBuilder()
                        .setSubject(Subject.UNIT)
                        .setUnit("web.service")
                        .setProcess(ProcessRef.newBuilder().setPid(INIT))
                        .setSignal(9)
                        .setTime(EventFactory.timestamp(KILL.plusMillis(5)))
                        .build(),
                List.of(),
                null);
        onWorker(() -> joiner.onEnd(end));
        kills.onSignal(signals.find(signal -> signal.victimPid() == INIT).getFirst());
        kills.onSignal(second);
        assertThat(events()).extracting(ExitEvent::getSubject).containsExactly(Subject.UNIT);
    }

    @Test
    void anEndThatIsReportedTooLateTakesItsKillsAlong() throws Exception {
        take(kill(INIT, KILL, CGROUP));
        take(kill(VICTIM, KILL.plusMillis(200), CGROUP));
        assertThat(events()).isEmpty();
    }

    @Test
    void theChildrenOfAContainerThatEndedWell() throws Exception {
        onWorker(() -> joiner.onSuccess(endOfContainer(KILL, 0)));
        take(kill(VICTIM, KILL.plusMillis(10), CGROUP));
        take(kill(VICTIM + 1, SI_KERNEL, KILL, Sender.newBuilder().setPid(INIT).build(), ""));
        assertThat(events()).isEmpty();
        take(kill(VICTIM + 2, KILL.minusSeconds(20), CGROUP));
        assertThat(events()).as("a worker was killed long before").hasSize(1);
    }

    @Test
    void aNumberThatWasAnotherProcesssBefore() throws Exception {
        Sender earlier = SHELL.toBuilder().setExe("/usr/bin/earlier").build();
        take(kill(VICTIM, 0, KILL.minusSeconds(100), earlier, "/"));
        take(kill(VICTIM, KILL, "/"));
        assertThat(events())
                .extracting(event -> event.getSender().getExe())
                .containsExactly("/usr/bin/earlier", "/usr/bin/bash");
    }

    @Test
    void anOomKillHasItsReport() throws Exception {
        onWorker(() -> joiner.onOom(OomKillEvent.newBuilder()
                .setEventId("oom-1")
                .setTime(EventFactory.timestamp(KILL))
                .setVictim(Victim.newBuilder().setPid(VICTIM))
                .build()));
        onWorker(() -> joiner.onOom(OomKillEvent.newBuilder()
                .setEventId("oom-of-another-day")
                .setTime(EventFactory.timestamp(KILL.minusSeconds(86_400)))
                .setVictim(Victim.newBuilder().setPid(VICTIM))
                .build()));
        take(kill(VICTIM, KILL, "/"));
        assertThat(events()).hasSize(1);
        assertThat(out.getFirst().getOomEventIdsList()).containsExactly("oom-1");
    }

    @Test
    void inAStormTheOthersAreCounted() throws Exception {
        for (int i = 0; i < 500; i++) {
            take(kill(VICTIM + i, KILL.plusMillis(i), "/"));
        }
        assertThat(events()).hasSize(ProcessKills.BURST);
        assertThat(kills.dropped()).isEqualTo(500 - ProcessKills.BURST);
        nanoTime = TimeUnit.SECONDS.toNanos(1);
        for (int i = 500; i < 600; i++) {
            take(kill(VICTIM + i, KILL.plusMillis(i), "/"));
        }
        assertThat(events()).hasSize(ProcessKills.BURST + ProcessKills.PER_SECOND);
        assertThat(kills.dropped()).isEqualTo(600 - ProcessKills.BURST - ProcessKills.PER_SECOND);
    }
}
