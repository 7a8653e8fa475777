package dev.exit137.agent.exit;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.RuntimeAction;
import dev.exit137.exitreport.facts.SeccompKill;
import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Certainty;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.ProcessRef;
import dev.exit137.proto.v1.Sender;
import dev.exit137.proto.v1.Victim;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ExitJoinerTest {
    private static final Instant START = Instant.parse("2001-02-03T04:00:00Z");
    private static final Instant END = Instant.parse("2001-02-03T04:05:06.789Z");
    private static final String ID = "4f0c2d1e9a7b6c5d4e3f2a1b0c9d8e7f4f0c2d1e9a7b6c5d4e3f2a1b0c9d8e7f";
    private static final String OTHER = ID.replace('4', '5');
    private static final int INIT = 4711;
    private static final int SHIM = 4700;
    private static final Sender SHELL = Sender.newBuilder()
            .setPid(901)
            .setExe("/usr/bin/bash")
            .setUid(0)
            .setCgroup("/user.slice")
            .build();

    private final ScheduledExecutorService worker = Executors.newSingleThreadScheduledExecutor();
    private final BlockingQueue<ExitEvent> out = new LinkedBlockingQueue<>();
    private final SignalBook signals = new SignalBook();
    private final Guard guard = new Guard();
    private final ExitJoiner joiner = new ExitJoiner(
            Node.newBuilder().setName("node-1").setBootId("boot").build(),
            signals,
            new ExitJoiner.Containers() {
                @Override
                public Optional<Container> find(String id) {
                    return id.equals(OTHER)
                            ? Optional.of(Container.newBuilder()
                                    .setId(OTHER)
                                    .setName("batch")
                                    .build())
                            : Optional.empty();
                }

                @Override
                public Optional<Integer> mainPid(String id, Instant endedAt) {
                    return id.equals(ID) && endedAt.equals(END) ? Optional.of(INIT) : Optional.empty();
                }

                @Override
                public Optional<Integer> shimPid(String id) {
                    return id.equals(ID) ? Optional.of(SHIM) : Optional.empty();
                }
            },
            out::add,
            worker,
            InstantSource.fixed(START),
            guard);

    @AfterEach
    void close() {
        worker.shutdownNow();
        assertThat(guard.counts()).isEmpty();
    }

    private static Timestamp timestamp(Instant time) {
        return Timestamp.newBuilder()
                .setSeconds(time.getEpochSecond())
                .setNanos(time.getNano())
                .build();
    }

    private static End end(int code, RuntimeAction... actions) {
        return new End(
                ExitEvent.newBuilder()
                        .setSubject(ExitEvent.Subject.CONTAINER)
                        .setContainer(Container.newBuilder().setId(ID).setName("web"))
                        .setProcess(ProcessRef.newBuilder().setPid(INIT))
                        .setExitCode(code)
                        .setStartedAt(timestamp(END.minusSeconds(100)))
                        .setTime(timestamp(END))
                        .addEvidence(Evidence.DOCKER)
                        .build(),
                List.of(actions),
                null);
    }

    private static SentSignal kill(int victim, String cgroup, Instant time, Sender sender) {
        return new SentSignal(time, 9, 0, victim, "web", true, true, false, List.of("__x64_sys_kill"), sender, cgroup);
    }

    private void take(End end) throws Exception {
        worker.submit(() -> joiner.onEnd(end)).get();
    }

    private ExitEvent next() throws InterruptedException {
        ExitEvent event = out.poll(60, TimeUnit.SECONDS);
        assertThat(event).as("an event goes out").isNotNull();
        return event;
    }

    @Test
    void theKillOfTheMainProcessExplainsTheEndAtOnce() throws Exception {
        signals.wholeSince(START);
        signals.add(kill(INIT, "/docker/" + ID, END.minusMillis(150), SHELL));
        take(end(137));
        ExitEvent event = next();
        assertThat(event.getCause()).isEqualTo(Cause.HOST_PROCESS);
        assertThat(event.getEventId()).isEqualTo("boot/exit/container/" + ID + "/" + END.toEpochMilli());
        assertThat(event.getRevision()).isEqualTo(1);
        assertThat(event.getNode().getName()).isEqualTo("node-1");
        assertThat(event.getRecovered()).isFalse();
        assertThat(out).isEmpty();
    }

    /** kauditd prints it later, from a thread of its own. */
    @Test
    void aKillByTheStrictModeOfSeccompIsNotCalledTheProgramsOwnExit() throws Exception {
        signals.wholeSince(START);
        take(end(137));
        assertThat(next().getCause()).isEqualTo(Cause.OWN_EXIT);
        worker.submit(() -> joiner.onSeccomp(new SeccompKill(END.minusSeconds(60), INIT, 9, 39)))
                .get();
        worker.submit(() -> joiner.onSeccomp(new SeccompKill(END.minusMillis(5), INIT + 1, 9, 39)))
                .get();
        assertThat(out).as("of another life, and of another process").isEmpty();
        worker.submit(() -> joiner.onSeccomp(new SeccompKill(END.minusMillis(5), INIT, 9, 39)))
                .get();
        ExitEvent event = next();
        assertThat(event.getRevision()).isEqualTo(2);
        assertThat(event.getCause()).isEqualTo(Cause.SECCOMP);
        assertThat(event.getCertainty()).isEqualTo(Certainty.CONFIRMED);
        assertThat(event.getSignal()).isEqualTo(9);
        assertThat(event.getExplanation()).contains("system call 39", "SIGKILL");
    }

    @Test
    void aRuntimeThatDoesNotSayTheMainPidLeavesItToTheCgroup() throws Exception {
        signals.wholeSince(START);
        signals.add(kill(INIT, "", END.minusMillis(150), SHELL));
        End end = end(137);
        take(new End(end.reported().toBuilder().clearProcess().build(), List.of(), null));
        ExitEvent event = next();
        assertThat(event.getCause()).isEqualTo(Cause.HOST_PROCESS);
        assertThat(event.getProcess().getPid()).isEqualTo(INIT);
    }

    @Test
    void aKillOfAnotherContainerIsNotThisOnes() throws Exception {
        signals.wholeSince(START);
        signals.add(kill(99, "/docker/" + OTHER, END.minusMillis(150), SHELL));
        take(end(137));
        assertThat(next().getCause()).isEqualTo(Cause.OWN_EXIT);
    }

    @Test
    void aPidThatWasUsedBeforeTheContainerStartedIsAnotherProcess() throws Exception {
        signals.wholeSince(START);
        signals.add(kill(INIT, "/", END.minusSeconds(200), SHELL));
        take(end(137));
        assertThat(next().getCause()).isEqualTo(Cause.OWN_EXIT);
    }

    @Test
    void withoutATraceTheEndWaitsForAnOomKillAndThenIsUnknown() throws Exception {
        signals.unavailable("no tracefs");
        take(end(137));
        ExitEvent event = next();
        assertThat(event.getCause()).isEqualTo(Cause.UNKNOWN);
        assertThat(event.getEvidenceMissingList()).containsExactly("trace: no tracefs");
    }

    @Test
    void anOomKillThatComesLateMakesARevision() throws Exception {
        signals.unavailable("no tracefs");
        take(end(137));
        assertThat(next().getRevision()).isEqualTo(1);
        OomKillEvent oom = OomKillEvent.newBuilder()
                .setEventId("boot/kmsg/7")
                .setTime(timestamp(END.minusMillis(20)))
                .setContainer(Container.newBuilder().setId(ID))
                .setVictim(Victim.newBuilder().setPid(INIT))
                .build();
        worker.submit(() -> joiner.onOom(oom)).get();
        ExitEvent revised = next();
        assertThat(revised.getRevision()).isEqualTo(2);
        assertThat(revised.getCause()).isEqualTo(Cause.OOM_KILL);
        assertThat(revised.getOomEventIdsList()).containsExactly("boot/kmsg/7");
        worker.submit(() -> joiner.onOom(oom)).get();
        assertThat(out).as("nothing new").isEmpty();
    }

    @Test
    void anEndThatIsReportedAgainMakesARevisionWhereItSaysMoreAndNoSecondEvent() throws Exception {
        signals.wholeSince(START);
        Sender runc = Sender.newBuilder()
                .setPid(9)
                .setExe("/usr/bin/containerd-shim-runc-v2")
                .build();
        signals.add(kill(INIT, "/docker/" + ID, END.minusMillis(150), runc));
        RuntimeAction kill = new RuntimeAction(RuntimeAction.Kind.KILL, END.minusMillis(152), 9, null);
        take(end(137, kill));
        ExitEvent first = next();
        assertThat(first.getAskedBy().getDetail()).isEqualTo("docker kill");
        take(end(137, kill));
        assertThat(out).as("nothing new").isEmpty();
        take(end(137, kill, new RuntimeAction(RuntimeAction.Kind.DESTROY, END.plusMillis(3), null, null)));
        ExitEvent second = next();
        assertThat(second.getEventId()).isEqualTo(first.getEventId());
        assertThat(second.getRevision()).isEqualTo(2);
        assertThat(second.getCause()).isEqualTo(Cause.CLIENT_KILL);
        assertThat(second.getAskedBy().getDetail()).isEqualTo("docker rm -f");
    }

    private static SentSignal killOfShim(int pid, Instant time) {
        return new SentSignal(
                time,
                9,
                0,
                pid,
                "containerd-shim",
                true,
                true,
                false,
                List.of(),
                SHELL,
                "/system.slice/docker.service");
    }

    /** On a node where shims die, another container may be killed by its client in the same seconds. */
    @Test
    void theDeathOfAnothersShimIsNotTheCauseAndThatOfItsOwnIs() throws Exception {
        signals.wholeSince(START);
        Sender runc = Sender.newBuilder()
                .setPid(9)
                .setExe("/usr/bin/containerd-shim-runc-v2")
                .build();
        signals.add(killOfShim(SHIM + 1, END.minusSeconds(2)));
        signals.add(kill(INIT, "/docker/" + ID, END.minusMillis(150), runc));
        take(end(137));
        assertThat(next().getCause()).isEqualTo(Cause.RUNTIME_KILL);
        signals.add(killOfShim(SHIM, END.minusMillis(200)));
        take(end(137, new RuntimeAction(RuntimeAction.Kind.DIE, END, null, null, 137)));
        assertThat(next().getCause()).isEqualTo(Cause.SHIM_DIED);
    }

    @Test
    void theSendersContainerIsNamed() throws Exception {
        signals.wholeSince(START);
        Sender inOther = SHELL.toBuilder()
                .setContainer(Container.newBuilder().setId(OTHER))
                .build();
        signals.add(kill(INIT, "/docker/" + ID, END.minusMillis(150), inOther));
        take(end(137));
        assertThat(next().getSender().getContainer().getName()).isEqualTo("batch");
    }

    @Test
    void anEndFromBeforeTheStartIsRecovered() throws Exception {
        signals.unavailable("no tracefs");
        End end = end(3);
        Timestamp before = timestamp(START.minusSeconds(5));
        take(new End(end.reported().toBuilder().setTime(before).clearStartedAt().build(), List.of(), null));
        assertThat(next().getRecovered()).isTrue();
    }

    @Test
    void aStormThatOverflowsTheBookIsCountedAndNoEndIsCalledItsOwn() throws Exception {
        signals.wholeSince(START);
        signals.add(kill(INIT, "/docker/" + ID, END.minusMillis(900), SHELL));
        for (int i = 0; i < 3000; i++) {
            signals.add(kill(100_000 + i, "/docker/" + OTHER, END.minusMillis(800), SHELL));
        }
        assertThat(signals.dropped()).isEqualTo(3001 - 2048);
        take(end(137));
        assertThat(next().getCause()).isEqualTo(Cause.UNKNOWN);
    }
}
