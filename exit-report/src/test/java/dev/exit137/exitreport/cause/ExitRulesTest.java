package dev.exit137.exitreport.cause;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.RuntimeAction;
import dev.exit137.exitreport.facts.RuntimeAction.Kind;
import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.exitreport.facts.TraceState;
import dev.exit137.exitreport.facts.UnitState;
import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Certainty;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.ExitSettings;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.Pod;
import dev.exit137.proto.v1.ProcessRef;
import dev.exit137.proto.v1.Sender;
import dev.exit137.proto.v1.Victim;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** One way to end a test; the stacks and the sequences of events are those of real kernels and runtimes. */
class ExitRulesTest {
    private static final Instant END = Instant.parse("2001-02-03T04:05:06Z");
    private static final String ID = "4f0c2d1e9a7b6c5d4e3f2a1b0c9d8e7f4f0c2d1e9a7b6c5d4e3f2a1b0c9d8e7f";
    private static final String CGROUP = "/docker/" + ID;
    private static final int INIT = 4711;
    private static final TraceState NONE = TraceState.without("tracefs cannot be mounted");

    private static final List<String> KILL = List.of(
            "trace_event_raw_event_signal_generate",
            "__send_signal_locked",
            "do_send_sig_info",
            "kill_pid_info_type",
            "kill_something_info",
            "__x64_sys_kill",
            "do_syscall_64",
            "entry_SYSCALL_64_after_hwframe");
    private static final List<String> OOM = List.of(
            "__send_signal_locked",
            "do_send_sig_info",
            "__oom_kill_process",
            "oom_kill_process",
            "out_of_memory",
            "mem_cgroup_out_of_memory",
            "try_charge_memcg");

    private static final Sender RUNC = Sender.newBuilder()
            .setPid(900)
            .setTgid(900)
            .setComm("runc")
            .setExe("/usr/sbin/runc")
            .setUid(0)
            .setCgroup("/system.slice/docker.service")
            .addParents(ProcessRef.newBuilder().setPid(4700).setExe("/usr/bin/containerd-shim-runc-v2"))
            .build();
    private static final Sender SHELL = Sender.newBuilder()
            .setPid(901)
            .setTgid(901)
            .setComm("bash")
            .setExe("/usr/bin/bash")
            .setUid(0)
            .setLoginuid(1000)
            .setTty("/dev/pts/3")
            .setCgroup("/user.slice/user-1000.slice/session-2.scope")
            .build();

    private final ExitEvent.Builder reported = ExitEvent.newBuilder()
            .setSubject(ExitEvent.Subject.CONTAINER)
            .setContainer(Container.newBuilder().setRuntime("docker").setId(ID).setName("web"))
            .setProcess(ProcessRef.newBuilder().setPid(INIT))
            .setExitCode(137)
            .setStartedAt(at(-60_000))
            .setTime(at(0))
            .addEvidence(Evidence.DOCKER);
    private final List<RuntimeAction> actions = new ArrayList<>();
    private final List<SentSignal> signals = new ArrayList<>();
    private final List<OomKillEvent> ooms = new ArrayList<>();
    private @Nullable UnitState unit;

    private static Timestamp at(long millis) {
        Instant time = END.plusMillis(millis);
        return Timestamp.newBuilder()
                .setSeconds(time.getEpochSecond())
                .setNanos(time.getNano())
                .build();
    }

    private ExitEvent explain(TraceState trace) {
        return ExitRules.explain(new End(reported.build(), actions, unit), signals, ooms, trace);
    }

    private void action(Kind kind, long millis) {
        actions.add(new RuntimeAction(kind, END.plusMillis(millis), null, null));
    }

    private void sent(int signal, long millis) {
        actions.add(new RuntimeAction(Kind.KILL, END.plusMillis(millis), signal, null));
    }

    private void signal(int number, int victim, String comm, long millis, Sender sender, List<String> path) {
        signals.add(new SentSignal(
                END.plusMillis(millis), number, 0, victim, comm, true, true, false, path, sender, CGROUP));
    }

    private void kernel(List<String> path, int code) {
        signals.add(new SentSignal(
                END.plusMillis(-5),
                9,
                code,
                INIT,
                "web",
                true,
                true,
                false,
                path,
                Sender.newBuilder().setPid(INIT).setComm("web").build(),
                CGROUP));
    }

    private static void assertIs(ExitEvent event, Cause cause, Certainty certainty) {
        assertThat(event.getCause()).as(event.getExplanation()).isEqualTo(cause);
        assertThat(event.getCertainty()).as(event.getExplanation()).isEqualTo(certainty);
    }

    @Test
    void dockerStopWhoseGracePeriodEndedNamesTheClientAndNotTheMessenger() {
        sent(15, -10_300);
        signal(15, INIT, "web", -10_290, RUNC, List.of());
        sent(9, -160);
        signal(9, INIT, "web", -157, RUNC, KILL);
        action(Kind.STOP, 5);
        ExitEvent event = explain(TraceState.WHOLE);
        assertIs(event, Cause.STOP_TIMEOUT, Certainty.CONFIRMED);
        assertThat(event.getSender().getExe()).isEqualTo("/usr/sbin/runc");
        assertThat(event.getAskedBy().getKind()).isEqualTo(AskedBy.Kind.DOCKER_CLIENT);
        assertThat(event.getAskedBy().getDetail()).isEqualTo("docker stop");
        assertThat(event.getStopRequest().getWaited().getSeconds()).isEqualTo(10);
        assertThat(event.getExplanation()).contains("container web", "10.1 s");
    }

    @Test
    void theGracePeriodOfTheSettingsIsNotThatOfAStopThatKilledEarlier() {
        reported.setSettings(ExitSettings.newBuilder()
                .setStopGrace(com.google.protobuf.Duration.newBuilder().setSeconds(10)));
        sent(15, -2300);
        sent(9, -160);
        action(Kind.STOP, 5);
        assertThat(explain(NONE).getStopRequest().hasGrace()).isFalse();
        actions.clear();
        sent(15, -10_300);
        sent(9, -160);
        action(Kind.STOP, 5);
        assertThat(explain(NONE).getStopRequest().getGrace().getSeconds()).isEqualTo(10);
    }

    @Test
    void aShellAsProcess1ThatIgnoresSigtermIsAdvisedToExec() {
        reported.setSettings(ExitSettings.newBuilder().setInitProgram("sh"));
        sent(15, -10_300);
        sent(9, -160);
        signal(9, INIT, "sh", -157, RUNC, KILL);
        action(Kind.STOP, 5);
        assertThat(explain(TraceState.WHOLE).getRecommendationsList()).anyMatch(advice -> advice.contains("exec"));
    }

    @Test
    void dockerKillIsAClientsAndNotAStop() {
        sent(9, -160);
        signal(9, INIT, "web", -157, RUNC, KILL);
        ExitEvent event = explain(TraceState.WHOLE);
        assertIs(event, Cause.CLIENT_KILL, Certainty.CONFIRMED);
        assertThat(event.getAskedBy().getDetail()).isEqualTo("docker kill");
    }

    @Test
    void dockerRmIsToldFromDockerKillByTheRemoval() {
        sent(9, -160);
        signal(9, INIT, "web", -157, RUNC, KILL);
        action(Kind.DESTROY, 40);
        assertThat(explain(TraceState.WHOLE).getAskedBy().getDetail()).isEqualTo("docker rm -f");
    }

    @Test
    void withoutATraceDockersOwnRecordStillNamesTheClient() {
        sent(9, -160);
        ExitEvent event = explain(NONE);
        assertIs(event, Cause.CLIENT_KILL, Certainty.SINGLE_SOURCE);
        assertThat(event.hasSender()).isFalse();
        assertThat(event.getEvidenceMissingList()).containsExactly("trace: tracefs cannot be mounted");
    }

    @Test
    void aPersonsLoginAndTerminalAreInTheSenderAloneAsNotEveryReaderMayKnowThem() {
        signal(9, INIT, "web", -157, SHELL, KILL);
        ExitEvent event = explain(TraceState.WHOLE);
        assertIs(event, Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(event.getAskedBy().getKind()).isEqualTo(AskedBy.Kind.PERSON);
        assertThat(event.getSender().getLoginuid()).isEqualTo(1000);
        assertThat(event.getExplanation()).contains("/usr/bin/bash").doesNotContain("1000", "pts/3");
        assertThat(event.getRecommendationsList())
                .noneMatch(advice -> advice.contains("1000") || advice.contains("pts"));
    }

    @Test
    void aProcessThatCallsItselfRuncIsNotBelieved() {
        signal(9, INIT, "web", -157, SHELL.toBuilder().setComm("runc").build(), KILL);
        assertIs(explain(TraceState.WHOLE), Cause.HOST_PROCESS, Certainty.CONFIRMED);
    }

    @Test
    void aProgramOfAUserThatIsCalledRuncIsNotBelieved() {
        Sender copy = SHELL.toBuilder()
                .clearTty()
                .clearLoginuid()
                .setComm("runc")
                .setExe("/tmp/x/runc")
                .addParents(ProcessRef.newBuilder().setPid(1).setExe("/usr/bin/bash"))
                .build();
        signal(9, INIT, "web", -157, copy, KILL);
        assertIs(explain(TraceState.WHOLE), Cause.HOST_PROCESS, Certainty.CONFIRMED);
        signals.clear();
        signal(
                9,
                INIT,
                "web",
                -157,
                copy.toBuilder().setExe("/tmp/x/containerd-shim").build(),
                KILL);
        assertIs(explain(TraceState.WHOLE), Cause.HOST_PROCESS, Certainty.CONFIRMED);
    }

    @Test
    void whatDockerDidNotRecordWasAskedOfContainerd() {
        signal(9, INIT, "web", -157, RUNC, KILL);
        ExitEvent event = explain(TraceState.WHOLE);
        assertIs(event, Cause.RUNTIME_KILL, Certainty.CONFIRMED);
        assertThat(event.getAskedBy().getKind()).isEqualTo(AskedBy.Kind.CONTAINERD_CLIENT);
    }

    @Test
    void aProcessInAContainerThatCallsItselfSystemdIsThatContainers() {
        Sender fake = Sender.newBuilder()
                .setPid(77)
                .setComm("systemd")
                .setExe("/usr/lib/systemd/systemd")
                .setCgroup(CGROUP)
                .build();
        signal(9, INIT, "web", -157, fake, KILL);
        assertIs(explain(TraceState.WHOLE), Cause.SAME_CONTAINER_PROCESS, Certainty.CONFIRMED);
    }

    @Test
    void aSenderThatWasGoneStaysUnknownAndIsNotGuessedFromItsName() {
        signal(
                9,
                INIT,
                "web",
                -157,
                Sender.newBuilder().setPid(900).setComm("runc").build(),
                KILL);
        ExitEvent event = explain(TraceState.WHOLE);
        assertThat(event.getCause()).isEqualTo(Cause.UNKNOWN);
        assertThat(event.getSender().getPid()).isEqualTo(900);
        assertThat(event.hasAskedBy()).isFalse();
    }

    @Test
    void aSenderWhoseCgroupWasNotReadMayBeOfTheSameContainer() {
        signal(9, INIT, "web", -157, SHELL.toBuilder().clearCgroup().build(), KILL);
        assertThat(explain(TraceState.WHOLE).getCause()).isEqualTo(Cause.UNKNOWN);
    }

    @Test
    void aMessengerThatWasGoneIsTheRuntimesWhereDockerRecordedTheKillAtThatMoment() {
        sent(9, -160);
        signal(9, INIT, "web", -157, Sender.newBuilder().setPid(900).build(), KILL);
        assertIs(explain(TraceState.WHOLE), Cause.CLIENT_KILL, Certainty.CONFIRMED);
        actions.clear();
        sent(9, -5000);
        assertIs(explain(TraceState.WHOLE), Cause.CLIENT_KILL, Certainty.SINGLE_SOURCE);
    }

    @Test
    void aMessengerOnItsWayOutIsInferredFromItsParentUnlessDockerRecordedTheKill() {
        Sender leaving = RUNC.toBuilder().clearExe().clearCgroup().build();
        signal(9, INIT, "web", -157, leaving, KILL);
        assertIs(explain(TraceState.WHOLE), Cause.RUNTIME_KILL, Certainty.INFERRED);
        sent(9, -160);
        assertIs(explain(TraceState.WHOLE), Cause.CLIENT_KILL, Certainty.CONFIRMED);
        signals.clear();
        actions.clear();
        signal(9, INIT, "web", -157, leaving.toBuilder().setComm("sh").build(), KILL);
        assertThat(explain(TraceState.WHOLE).getCause()).isEqualTo(Cause.UNKNOWN);
    }

    @Test
    void earlyoomIsKnownByItsExecutable() {
        Sender earlyoom =
                Sender.newBuilder().setPid(300).setExe("/usr/bin/earlyoom").build();
        signal(9, INIT, "web", -157, earlyoom, KILL);
        assertIs(explain(TraceState.WHOLE), Cause.PRESSURE_KILLER, Certainty.CONFIRMED);
    }

    @Test
    void killersBeforeTheKernelAreKnownByExecutableOrUnitAndNotWhereAnybodyMayPutOne() {
        Sender killer = Sender.newBuilder()
                .setPid(300)
                .setCgroup("/system.slice/x.service")
                .build();
        for (Sender sender : List.of(
                killer.toBuilder().setExe("/usr/lib/systemd/systemd-oomd").build(),
                killer.toBuilder().setExe("/usr/bin/oomd").build(),
                // nohang is a script.
                killer.toBuilder()
                        .setExe("/usr/bin/python3.11")
                        .setUnit("nohang.service")
                        .build(),
                killer.toBuilder()
                        .setExe("/usr/bin/python3.11")
                        .setUnit("nohang-desktop.service")
                        .build())) {
            signals.clear();
            signal(9, INIT, "web", -157, sender, KILL);
            assertIs(explain(TraceState.WHOLE), Cause.PRESSURE_KILLER, Certainty.CONFIRMED);
        }
        for (Sender sender : List.of(
                killer.toBuilder().setExe("/home/x/earlyoom").build(),
                killer.toBuilder()
                        .setExe("/usr/bin/python3.11")
                        .setComm("earlyoom")
                        .build())) {
            signals.clear();
            signal(9, INIT, "web", -157, sender, KILL);
            assertIs(explain(TraceState.WHOLE), Cause.HOST_PROCESS, Certainty.CONFIRMED);
        }
    }

    @Test
    void aJobOfCronHasALoginAndIsNoPersons() {
        Sender job = SHELL.toBuilder()
                .clearTty()
                .addParents(ProcessRef.newBuilder().setPid(902).setExe("/usr/bin/dash"))
                .addParents(ProcessRef.newBuilder().setPid(500).setExe("/usr/sbin/cron"))
                .build();
        signal(9, INIT, "web", -157, job, KILL);
        ExitEvent event = explain(TraceState.WHOLE);
        assertThat(event.getAskedBy())
                .isEqualTo(AskedBy.newBuilder()
                        .setKind(AskedBy.Kind.PROGRAM)
                        .setDetail("cron")
                        .build());
        assertThat(event.getRecommendationsList()).singleElement().asString().contains("jobs of cron");
        signals.clear();
        // ssh host kill: no terminal, but a login.
        signal(9, INIT, "web", -157, SHELL.toBuilder().clearTty().build(), KILL);
        assertThat(explain(TraceState.WHOLE).getAskedBy().getKind()).isEqualTo(AskedBy.Kind.PERSON);
    }

    @Test
    void aShellsConfigurationIsNoAdviceButWhatRanItIs() {
        Sender script = SHELL.toBuilder()
                .clearTty()
                .clearLoginuid()
                .addParents(ProcessRef.newBuilder().setPid(500).setExe("/opt/agent/bin/agent"))
                .build();
        signal(9, INIT, "web", -157, script, KILL);
        assertThat(explain(TraceState.WHOLE).getRecommendationsList())
                .singleElement()
                .asString()
                .contains("what ran /usr/bin/bash", "a child of /opt/agent/bin/agent");
    }

    /** On cgroup v1 the victim has no cgroup any more when the agent looks. */
    @Test
    void aProcessOfTheSameServiceIsOneWithoutTheVictimsCgroup() {
        unitEnd("signal", "", false, "", List.of(), "");
        reported.setExitCode(137).setSignal(9);
        Sender peer = Sender.newBuilder()
                .setPid(77)
                .setExe("/usr/bin/bash")
                .setCgroup("/system.slice/shop.service")
                .setUnit("shop.service")
                .build();
        signals.add(new SentSignal(END.minusMillis(5), 9, 0, INIT, "web", true, true, false, KILL, peer, ""));
        assertThat(explain(TraceState.WHOLE).getCause()).isEqualTo(Cause.SAME_CONTAINER_PROCESS);
    }

    @Test
    void aMainProcessThatKillsItselfIsKnownWithoutItsFiles() {
        Sender gone = Sender.newBuilder().setPid(INIT).build();
        signal(9, INIT, "web", -5, gone, KILL);
        ExitEvent event = explain(TraceState.WHOLE);
        assertIs(event, Cause.SAME_CONTAINER_PROCESS, Certainty.CONFIRMED);
        assertThat(event.getExplanation()).contains("killed itself");
        assertThat(event.hasAskedBy()).isFalse();
    }

    @Test
    void theKernelsPathTellsItsOwnKillsApart() {
        kernel(OOM, 128);
        assertIs(explain(TraceState.WHOLE), Cause.OOM_KILL, Certainty.CONFIRMED);
        assertPath(Cause.CONTAINER_INIT_DIED, 128, "zap_pid_ns_processes", "do_exit", "do_group_exit");
        assertPath(Cause.CPU_LIMIT, 128, "__group_send_sig_info", "posix_cpu_timers_work", "task_work_run");
        assertPath(Cause.TRACER_DIED, 128, "exit_ptrace", "do_exit");
        assertPath(Cause.PARENT_DIED, 0, "group_send_sig_info", "do_exit", "do_group_exit", "__x64_sys_exit_group");
        assertPath(Cause.CGROUP_KILL, 0, "__cgroup_kill", "cgroup_kill_write", "kernfs_fop_write_iter", "vfs_write");
        assertPath(Cause.OOM_KILL, 128, "__oom_kill_process", "oom_kill_memcg_member", "mem_cgroup_scan_tasks");
    }

    private void assertPath(Cause cause, int code, String... path) {
        signals.clear();
        kernel(List.of(path), code);
        assertIs(explain(TraceState.WHOLE), cause, Certainty.CONFIRMED);
        assertThat(explain(TraceState.WHOLE).getKernelPathList()).containsExactly(path);
    }

    @Test
    void anOomKillHasNoSenderThoughTheVictimRanAtThatMoment() {
        kernel(OOM, 128);
        ExitEvent event = explain(TraceState.WHOLE);
        assertThat(event.hasSender()).isFalse();
        assertThat(event.hasAskedBy()).isFalse();
    }

    @Test
    void anOomKillIsKnownWithoutATraceFromItsOwnEvent() {
        ooms.add(OomKillEvent.newBuilder()
                .setEventId("b/kmsg/7")
                .setVictim(Victim.newBuilder().setPid(INIT).setIsContainerInit(true))
                .setExplanation("web hit its own limit of 32 MiB.")
                .addRecommendations("Raise the limit.")
                .build());
        ExitEvent event = explain(NONE);
        assertIs(event, Cause.OOM_KILL, Certainty.CONFIRMED);
        assertThat(event.getOomEventIdsList()).containsExactly("b/kmsg/7");
        assertThat(event.getExplanation()).contains("its own limit of 32 MiB");
        assertThat(event.getRecommendationsList()).containsExactly("Raise the limit.");
    }

    @Test
    void aDeadShimIsTheCauseAndItsKillerTheSender() {
        actions.add(new RuntimeAction(Kind.DIE, END, null, null, 255));
        signal(9, 4700, "containerd-shim", -200, SHELL, KILL);
        signal(9, INIT, "web", -170, RUNC, KILL);
        ExitEvent event = explain(TraceState.WHOLE);
        assertIs(event, Cause.SHIM_DIED, Certainty.CONFIRMED);
        assertThat(event.getSender().getExe()).isEqualTo("/usr/bin/bash");
    }

    @Test
    void dockersCode255IsAGuessWhereNoTraceSaysWhetherTheShimDied() {
        reported.setExitCode(255);
        ExitEvent event = explain(NONE);
        assertIs(event, Cause.OWN_EXIT, Certainty.INFERRED);
        assertThat(event.getExplanation()).contains("its shim died");
        assertIs(explain(TraceState.WHOLE), Cause.OWN_EXIT, Certainty.SINGLE_SOURCE);
    }

    @Test
    void anotherContainersShimIsNotBlamed() {
        signal(9, 4700, "containerd-shim", -200, SHELL, KILL);
        sent(9, -160);
        signal(9, INIT, "web", -157, RUNC, KILL);
        assertIs(explain(TraceState.WHOLE), Cause.CLIENT_KILL, Certainty.CONFIRMED);
    }

    @Test
    void aKillOfProcess1FromInsideThatTheKernelDroppedIsNoKill() {
        signals.add(new SentSignal(END.minusMillis(500), 9, 0, INIT, "web", true, false, false, KILL, SHELL, CGROUP));
        reported.setExitCode(1);
        assertIs(explain(TraceState.WHOLE), Cause.OWN_EXIT, Certainty.SINGLE_SOURCE);
    }

    /** It ended while no agent ran, and Docker has forgotten its pid. */
    @Test
    void code137OfAMainProcessThatIsNotKnownIsNotCalledItsOwn() {
        reported.clearProcess();
        signal(9, INIT, "web", -157, SHELL, KILL);
        ExitEvent event = explain(TraceState.WHOLE);
        assertIs(event, Cause.UNKNOWN, Certainty.CERTAINTY_UNSPECIFIED);
        assertThat(event.getEvidenceMissingList()).containsExactly("trace: its main process is not known");
        assertThat(event.getRecommendationsList()).isEmpty();
        sent(9, -160);
        assertIs(explain(TraceState.WHOLE), Cause.CLIENT_KILL, Certainty.SINGLE_SOURCE);
    }

    @Test
    void code137WithoutAKillIsTheProgramsOwnAndItsKilledChildIsNamed() {
        signal(9, INIT + 5, "worker", -2000, SHELL, KILL);
        ExitEvent event = explain(TraceState.WHOLE);
        assertIs(event, Cause.OWN_EXIT, Certainty.CONFIRMED);
        assertThat(event.getExplanation()).contains("by itself with code 137", "worker", "by /usr/bin/bash (pid 901)");
    }

    @Test
    void whatTheKernelKillsBecauseProcess1EndedIsNoReasonForThatEnd() {
        signal(9, INIT + 5, "worker", -2, Sender.newBuilder().setPid(INIT).build(), List.of("zap_pid_ns_processes"));
        signal(9, INIT + 6, "worker", -1, RUNC, KILL);
        ExitEvent event = explain(TraceState.WHOLE);
        assertIs(event, Cause.OWN_EXIT, Certainty.CONFIRMED);
        assertThat(event.getExplanation()).doesNotContain("worker");
        assertThat(event.getSecondaryKillsCount()).isEqualTo(2);
    }

    @Test
    void aSignalToAProcessGroupKillsTheOthersBeforeTheFirstProcess() {
        signal(9, INIT + 7, "other", -1000, RUNC, KILL);
        signal(9, INIT + 5, "worker", -158, SHELL, KILL);
        signal(9, INIT, "web", -157, SHELL, KILL);
        ExitEvent event = explain(TraceState.WHOLE);
        assertIs(event, Cause.HOST_PROCESS, Certainty.CONFIRMED);
        assertThat(event.getSecondaryKillsList())
                .extracting(ProcessRef::getComm)
                .containsExactly("worker");
    }

    @Test
    void code137WithoutAKillIsUnknownWhereTheTraceHasGaps() {
        ExitEvent event = explain(TraceState.without("its buffers overflowed"));
        assertThat(event.getCause()).isEqualTo(Cause.UNKNOWN);
        assertThat(event.getExplanation()).contains("no source says who sent it", "its buffers overflowed");
        assertThat(event.getRecommendationsList()).hasSize(1);
    }

    @Test
    void theOtherProcessesOfAKilledContainerAreSecondaryKillsOfOneEvent() {
        sent(9, -160);
        signal(9, INIT, "web", -157, RUNC, KILL);
        for (int i = 1; i <= 20; i++) {
            signal(9, INIT + i, "worker", -150, RUNC, List.of("zap_pid_ns_processes"));
        }
        ExitEvent event = explain(TraceState.WHOLE);
        assertThat(event.getSecondaryKillsList()).hasSize(16);
        assertThat(event.getSecondaryKillsOmitted()).isEqualTo(4);
    }

    @Test
    void aProgramThatEndsInTimeAfterSigtermWasStopped() {
        reported.setExitCode(143);
        sent(15, -300);
        signal(15, INIT, "web", -298, RUNC, List.of());
        action(Kind.STOP, 5);
        ExitEvent event = explain(TraceState.WHOLE);
        assertIs(event, Cause.STOPPED, Certainty.CONFIRMED);
        assertThat(event.getAskedBy().getDetail()).isEqualTo("docker stop");
    }

    @Test
    void aProgramThatWasNeverFoundDidNotRun() {
        reported.clearStartedAt().setExitCode(127);
        assertIs(explain(NONE), Cause.NOT_FOUND, Certainty.SINGLE_SOURCE);
        reported.setExitCode(126);
        assertIs(explain(NONE), Cause.NOT_EXECUTABLE, Certainty.SINGLE_SOURCE);
        reported.setExitCode(128);
        assertIs(explain(NONE), Cause.RUNTIME_ERROR, Certainty.SINGLE_SOURCE);
    }

    @Test
    void theCodeOfACrashAloneIsAGuess() {
        reported.setExitCode(139);
        ExitEvent event = explain(TraceState.WHOLE);
        assertIs(event, Cause.CRASH, Certainty.INFERRED);
        assertThat(event.hasSignal()).isFalse();
        assertThat(event.getExplanation()).contains("as after a crash with SIGSEGV");
    }

    @Test
    void systemdKnowsTheSignalOfACrashAndTheCore() {
        unitEnd("core-dump", "", false, "", List.of(), "")
                .setSignal(11)
                .setExitCode(139)
                .setCoreDumped(true);
        ExitEvent event = explain(TraceState.WHOLE);
        assertIs(event, Cause.CRASH, Certainty.SINGLE_SOURCE);
        assertThat(event.getExplanation()).contains("SIGSEGV", "left a core");
    }

    private ExitEvent.Builder unitEnd(
            String result, String phase, boolean byClient, String job, List<String> because, String kind) {
        unit = new UnitState("", result, phase, byClient, job, because, kind, null);
        return reported.setSubject(ExitEvent.Subject.UNIT)
                .clearContainer()
                .setUnit("shop.service")
                .clearEvidence()
                .addEvidence(Evidence.SYSTEMD);
    }

    private static Sender systemd() {
        return Sender.newBuilder()
                .setPid(1)
                .setTgid(1)
                .setComm("systemd")
                .setExe("/usr/lib/systemd/systemd")
                .setUid(0)
                .setCgroup("/init.scope")
                .build();
    }

    @Test
    void aStopTimeoutOfSystemdIsSystemdsAndTheJobWasAClients() {
        unitEnd("timeout", "stop", false, "stop", List.of(), "").setSignal(9);
        signal(9, INIT, "shop", -5, systemd(), KILL);
        ExitEvent event = explain(TraceState.WHOLE);
        assertIs(event, Cause.SYSTEMD_STOP_TIMEOUT, Certainty.CONFIRMED);
        assertThat(event.getAskedBy().getKind()).isEqualTo(AskedBy.Kind.SYSTEMD_JOB);
        assertThat(event.getRecommendationsList()).anyMatch(advice -> advice.contains("TimeoutStopSec"));
    }

    @Test
    void aStartTimeoutIsNotAStopTimeout() {
        unitEnd("timeout", "start", false, "", List.of(), "").setSignal(15).setExitCode(143);
        assertIs(explain(TraceState.WHOLE), Cause.SYSTEMD_START_TIMEOUT, Certainty.SINGLE_SOURCE);
    }

    @Test
    void theWatchdogIsNotACrashThoughItSendsSigabrt() {
        unitEnd("watchdog", "", false, "", List.of(), "").setSignal(6).setExitCode(134);
        assertIs(explain(TraceState.WHOLE), Cause.SYSTEMD_WATCHDOG, Certainty.SINGLE_SOURCE);
    }

    @Test
    void systemctlKillIsAClients() {
        unitEnd("signal", "", true, "", List.of(), "").setSignal(9);
        signal(9, INIT, "shop", -5, systemd(), KILL);
        ExitEvent event = explain(TraceState.WHOLE);
        assertIs(event, Cause.SYSTEMD_CLIENT_REQUEST, Certainty.CONFIRMED);
        assertThat(event.getAskedBy().getDetail()).isEqualTo("systemctl kill");
    }

    @Test
    void aDependencyIsInferredAndNamesTheUnits() {
        unitEnd("success", "", false, "stop", List.of("docker.service"), "PartOf")
                .setSignal(15)
                .setExitCode(143);
        ExitEvent event = explain(TraceState.WHOLE);
        assertIs(event, Cause.SYSTEMD_DEPENDENCY, Certainty.INFERRED);
        assertThat(event.getAskedBy().getUnitsList()).containsExactly("docker.service");
        assertThat(event.getRecommendationsList()).anyMatch(advice -> advice.contains("PartOf"));
    }

    @Test
    void resultOomKillWithoutAKernelsKillIsNotBelieved() {
        unitEnd("oom-kill", "", false, "", List.of(), "").setSignal(9);
        assertThat(explain(NONE).getCause()).isEqualTo(Cause.UNKNOWN);
        Sender oomd = Sender.newBuilder()
                .setPid(300)
                .setExe("/usr/lib/systemd/systemd-oomd")
                .setUnit("systemd-oomd.service")
                .build();
        signal(9, INIT, "shop", -5, oomd, KILL);
        assertIs(explain(TraceState.WHOLE), Cause.PRESSURE_KILLER, Certainty.CONFIRMED);
    }

    @Test
    void anInterruptNamesNobody() {
        signals.add(new SentSignal(
                END.minusMillis(5),
                9,
                0,
                INIT,
                "web",
                true,
                true,
                true,
                List.of("it_real_fn", "hrtimer_interrupt"),
                Sender.getDefaultInstance(),
                CGROUP));
        ExitEvent event = explain(TraceState.WHOLE);
        assertThat(event.hasSender()).isFalse();
        assertThat(event.hasAskedBy()).isFalse();
    }

    @Test
    void anyOtherCodeIsTheProgramsOwn() {
        reported.setExitCode(3);
        assertIs(explain(NONE), Cause.OWN_EXIT, Certainty.SINGLE_SOURCE);
    }

    // ---- a pod's container, whose clients only the runtime's log knows

    private static final String NO_LOG = "it is in no file that is known";

    private ExitEvent explainOfPod(@Nullable String logMissing) {
        reported.setContainer(Container.newBuilder()
                        .setRuntime("containerd")
                        .setId(ID)
                        .setName("app")
                        .setPod(Pod.newBuilder().setName("cart-0").setNamespace("shop")))
                .clearEvidence()
                .addEvidence(Evidence.CONTAINERD)
                .addEvidence(Evidence.CRI);
        return ExitRules.explain(new End(reported.build(), actions, null, logMissing), signals, ooms, TraceState.WHOLE);
    }

    private void request(Kind kind, long millis, @Nullable Long graceSeconds) {
        actions.add(new RuntimeAction(
                kind, END.plusMillis(millis), null, graceSeconds == null ? null : Duration.ofSeconds(graceSeconds)));
    }

    private static void assertAsked(ExitEvent event, String call) {
        assertThat(event.getAskedBy().getKind()).isEqualTo(AskedBy.Kind.CRI_CLIENT);
        assertThat(event.getAskedBy().getDetail()).isEqualTo(call);
        assertThat(event.getEvidenceList()).contains(Evidence.CONTAINERD_LOG);
        assertThat(event.getEvidenceMissingList()).noneMatch(missing -> missing.contains("log"));
    }

    @Test
    void aStopOfTheCriWhoseGracePeriodEndedIsAClientsByTheLogAlone() {
        request(Kind.STOP, -2_050, 2L);
        sent(15, -2_040);
        signal(15, INIT, "web", -2_030, RUNC, KILL);
        sent(9, -30);
        signal(9, INIT, "web", -20, RUNC, KILL);
        ExitEvent event = explainOfPod("");
        assertIs(event, Cause.STOP_TIMEOUT, Certainty.CONFIRMED);
        assertAsked(event, "StopContainer");
        assertThat(event.getStopRequest().getGrace().getSeconds()).isEqualTo(2);
    }

    @Test
    void aShortGracePeriodIsOneByTheLogAndNotByTheTime() {
        request(Kind.STOP, -600, 1L);
        sent(15, -590);
        signal(15, INIT, "web", -580, RUNC, KILL);
        sent(9, -30);
        signal(9, INIT, "web", -20, RUNC, KILL);
        assertThat(explainOfPod("").getCause()).isEqualTo(Cause.STOP_TIMEOUT);
        actions.clear();
        assertThat(explainOfPod(NO_LOG).getCause()).isEqualTo(Cause.RUNTIME_KILL);
    }

    @Test
    void aStopOfThePodAndARemovalAreToldApart() {
        sent(9, -30);
        signal(9, INIT, "web", -20, RUNC, KILL);
        request(Kind.STOP_POD, -40, null);
        assertAsked(explainOfPod(""), "StopPodSandbox");
        actions.removeLast();
        request(Kind.REMOVE, -40, null);
        ExitEvent removed = explainOfPod("");
        assertIs(removed, Cause.RUNTIME_KILL, Certainty.CONFIRMED);
        assertAsked(removed, "RemoveContainer");
        assertThat(removed.getExplanation()).contains("kubelet or crictl");
    }

    @Test
    void withoutTheLogNobodyKnowsWhoAskedAndTheEventSaysWhatIsMissing() {
        signal(9, INIT, "web", -20, RUNC, KILL);
        ExitEvent event = explainOfPod(NO_LOG);
        assertIs(event, Cause.RUNTIME_KILL, Certainty.CONFIRMED);
        assertThat(event.hasAskedBy()).isFalse();
        assertThat(event.getSender().getExe()).isEqualTo("/usr/sbin/runc");
        assertThat(event.getEvidenceMissingList()).containsExactly("containerd's log: " + NO_LOG);
    }

    @Test
    void aLogWithoutARequestSaysSoAndAccusesNobody() {
        signal(9, INIT, "web", -20, RUNC, KILL);
        ExitEvent event = explainOfPod("");
        assertThat(event.hasAskedBy()).isFalse();
        assertThat(event.getEvidenceMissingList()).isEmpty();
        assertThat(event.getExplanation()).contains("no request of a client of the CRI");
    }

    @Test
    void theLogIsNotMissedWhereItCouldNotSayMore() {
        reported.setExitCode(3);
        assertThat(explainOfPod(NO_LOG).getEvidenceMissingList()).isEmpty();
        signal(9, INIT, "web", -20, SHELL, KILL);
        reported.setExitCode(137);
        assertThat(explainOfPod(NO_LOG).getEvidenceMissingList()).isEmpty();
    }

    /** It handles SIGTERM, and says 137 itself within its grace period. */
    @Test
    void aStopWithoutAKillIsNoKill() {
        request(Kind.STOP, -500, 30L);
        sent(15, -490);
        assertThat(explainOfPod("").getCause()).isNotIn(Cause.STOP_TIMEOUT, Cause.RUNTIME_KILL);
    }

    @Test
    void theRuntimesWordsTellApartWhyAPodsContainerDidNotStart() {
        reported.setExitCode(128).clearStartedAt().clearProcess();
        assertThat(explainOfPod("").getCause()).isEqualTo(Cause.RUNTIME_ERROR);
        actions.add(new RuntimeAction(Kind.START_FAILED, END, null, null, 127));
        ExitEvent event = explainOfPod("");
        assertThat(event.getCause()).isEqualTo(Cause.NOT_FOUND);
        assertThat(event.getExitCode()).isEqualTo(128);
        actions.set(0, new RuntimeAction(Kind.START_FAILED, END, null, null, 126));
        assertThat(explainOfPod("").getCause()).isEqualTo(Cause.NOT_EXECUTABLE);
    }

    @Test
    void theNameOfTheMainProcessIsTheOneThatTheKernelSaidWithTheSignal() {
        signal(9, INIT, "web", -20, RUNC, KILL);
        assertThat(explain(TraceState.WHOLE).getProcess().getComm()).isEqualTo("web");
        reported.setProcess(ProcessRef.newBuilder().setPid(INIT).setComm("known"));
        assertThat(explain(TraceState.WHOLE).getProcess().getComm()).isEqualTo("known");
    }

    /** It ended while no agent ran, and the CRI has forgotten its pid: that the trace has no signal to it says nothing. */
    @Test
    void whoseProcessIsNotKnownIsNotSaidToHaveGotNoSignal() {
        reported.clearProcess();
        ExitEvent event = explainOfPod("");
        assertThat(event.getCause()).isEqualTo(Cause.UNKNOWN);
        assertThat(event.hasProcess()).isFalse();
        assertThat(event.getEvidenceMissingList()).anyMatch(missing -> missing.contains("main process is not known"));

        request(Kind.STOP, -2_050, 2L);
        sent(15, -2_040);
        sent(9, -30);
        ExitEvent stopped = explainOfPod("");
        assertThat(stopped.getCause()).isEqualTo(Cause.STOP_TIMEOUT);
        assertAsked(stopped, "StopContainer");
        assertThat(stopped.hasSender()).isFalse();
    }
}
