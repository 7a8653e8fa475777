package dev.exit137.agent.trace;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.proto.v1.Sender;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a real kernel records of each way to a signal, and that its path tells them apart. */
class RecordedSignalsTest {
    @TempDir
    Path directory;

    private FakeTracefs tracefs;
    private TraceSource source;

    @BeforeEach
    void open() {
        tracefs = new FakeTracefs(directory);
        source = tracefs.source();
        source.open();
    }

    @AfterEach
    void close() {
        source.close();
    }

    private List<SentSignal> read(String scenario) {
        tracefs.pages(FakeTracefs.recorded(scenario));
        tracefs.nowNanos = FakeTracefs.AFTER_NANOS;
        source.readAll();
        assertThat(source.recordsMalformed()).isZero();
        return tracefs.signals;
    }

    private SentSignal only(String scenario) {
        return assertThat(read(scenario)).singleElement().actual();
    }

    @Test
    void aKillOfAProcess() {
        SentSignal signal = only("kill");
        assertThat(signal.number()).isEqualTo(9);
        assertThat(signal.code()).isZero();
        assertThat(signal.victimComm()).isEqualTo("v-kill");
        assertThat(signal.victimPid()).isEqualTo(21573);
        assertThat(signal.sender()).isEqualTo(Sender.newBuilder().setPid(21572).build());
        assertThat(signal.wholeProcess()).isTrue();
        assertThat(signal.delivered()).isTrue();
        assertThat(signal.inInterrupt()).isFalse();
        assertThat(signal.victimCgroup()).isEmpty();
        assertThat(signal.kernelPath())
                .containsExactly(
                        "__send_signal_locked",
                        "do_send_sig_info",
                        "kill_pid_info_type",
                        "kill_something_info",
                        "__x64_sys_kill",
                        "do_syscall_64",
                        "entry_SYSCALL_64_after_hwframe");
    }

    @Test
    void theTimeIsTheRecordsAndNotThatOfReading() {
        SentSignal signal = only("kill");
        long ageNanos = FakeTracefs.AFTER_NANOS - 12_747_469_969_445L;
        assertThat(signal.time()).isEqualTo(FakeTracefs.WALL.minusNanos(ageNanos));
    }

    @Test
    void aRequestToEndHasNoPath() {
        SentSignal signal = only("term");
        assertThat(signal.number()).isEqualTo(15);
        assertThat(signal.kernelPath()).isEmpty();
        assertThat(signal.victimComm()).isEqualTo("v-term");
    }

    @Test
    void aKillOfAThread() {
        SentSignal signal = only("tkill");
        assertThat(signal.code()).isEqualTo(-6);
        assertThat(signal.wholeProcess()).isFalse();
        assertThat(signal.kernelPath()).contains("__x64_sys_tkill");
    }

    @Test
    void aKillThroughAPidfd() {
        assertThat(only("pidfd").kernelPath()).contains("__x64_sys_pidfd_send_signal");
    }

    @Test
    void aProcessWithThreadsGetsOneSignal() {
        assertThat(only("thread-of").victimComm()).isEqualTo("v-mt");
    }

    @Test
    void aProcessThatKillsItself() {
        SentSignal signal = only("self");
        assertThat(signal.sender().getPid()).isEqualTo(signal.victimPid());
        assertThat(signal.code()).isEqualTo(-6);
    }

    @Test
    void theOomKiller() {
        SentSignal signal = only("oom");
        assertThat(signal.code()).isEqualTo(128);
        assertThat(signal.victimComm()).isEqualTo("v-oom");
        assertThat(signal.kernelPath()).contains("oom_kill_process", "mem_cgroup_out_of_memory");
    }

    @Test
    void theEndOfANamespacesFirstProcessKillsTheOthers() {
        assertThat(read("nspid1-exit"))
                .hasSize(3)
                .allSatisfy(signal -> {
                    assertThat(signal.code()).isEqualTo(128);
                    assertThat(signal.kernelPath()).contains("zap_pid_ns_processes");
                })
                .extracting(SentSignal::victimComm)
                .containsExactly("ns-child0", "ns-child1", "ns-child2");
    }

    @Test
    void theEndOfAParent() {
        SentSignal signal = only("pdeathsig");
        assertThat(signal.code()).isZero();
        assertThat(signal.kernelPath())
                .contains("do_exit", "__x64_sys_exit_group")
                .doesNotContain("__x64_sys_kill");
    }

    @Test
    void aWriteToCgroupKill() {
        assertThat(read("cgroupkill")).hasSize(2).allSatisfy(signal -> {
            assertThat(signal.code()).isZero();
            assertThat(signal.wholeProcess()).isFalse();
            assertThat(signal.kernelPath()).contains("__cgroup_kill");
        });
    }

    @Test
    void theLimitOfProcessorTime() {
        SentSignal signal = only("rlimit-cpu");
        assertThat(signal.code()).isEqualTo(128);
        assertThat(signal.kernelPath()).contains("posix_cpu_timers_work");
    }

    @Test
    void theEndOfATracer() {
        assertThat(only("exitkill").kernelPath()).contains("exit_ptrace");
    }

    @Test
    void inAnInterruptWhoeverRanIsNotTheSender() {
        SentSignal signal = only("timer");
        assertThat(signal.inInterrupt()).isTrue();
        assertThat(signal.sender()).isEqualTo(Sender.getDefaultInstance());
        assertThat(signal.kernelPath()).contains("posix_timer_fn");
    }

    @Test
    void theSecondKillOfADyingProcessIsNotDelivered() {
        assertThat(read("twice")).extracting(SentSignal::delivered).containsExactly(true, false);
    }

    @Test
    void onlyWhatCameBeforeTheOpenIsRecovered() {
        read("kill");
        source.close();
        tracefs.pages(FakeTracefs.recorded("tkill"));
        // The fake pipe keeps its pages.
        source.open();
        source.readAll();
        assertThat(tracefs.recovered).containsExactly(false, true, true);
    }
}
