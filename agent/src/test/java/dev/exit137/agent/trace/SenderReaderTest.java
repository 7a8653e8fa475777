package dev.exit137.agent.trace;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.linux.ProcessFiles;
import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.proto.v1.ProcessRef;
import dev.exit137.proto.v1.Sender;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who the sender is, as procfs says it right after the signal. */
class SenderReaderTest {
    // Of the recordings `kill`, `term` and `twice`.
    private static final int SENDER = 21572;
    private static final int VICTIM = 21573;
    private static final int SENDER_OF_TERM = 21574;
    private static final int SENDER_OF_TWICE = 21607;
    private static final int PTS_3 = 136 << 8 | 3;
    private static final String CONTAINER_ID = "0123456789abcdef".repeat(4);

    @TempDir
    Path directory;

    private FakeTracefs tracefs;
    private TraceSource source;

    @BeforeEach
    void make() {
        tracefs = new FakeTracefs(directory);
        source = tracefs.source();
    }

    @AfterEach
    void close() {
        source.close();
    }

    private SentSignal read(String scenario) {
        source.open();
        tracefs.pages(FakeTracefs.recorded(scenario));
        tracefs.nowNanos = FakeTracefs.AFTER_NANOS;
        source.readAll();
        return tracefs.signals.getFirst();
    }

    private void executable(int pid, String path) throws IOException {
        Files.createSymbolicLink(tracefs.procRoot().resolve(pid + "/exe"), Path.of(path));
    }

    @Test
    void aLivingSenderIsDescribed() throws IOException {
        tracefs.process(SENDER, 50, "runc", "9:cpu:/x\n4:memory:/docker/" + CONTAINER_ID + "\n0::/y\n", 1000, PTS_3);
        executable(SENDER, "/usr/bin/docker (deleted)");
        FakeTracefs.write(tracefs.procRoot().resolve(SENDER + "/cmdline"), "docker\0stop\0secret\0");
        FakeTracefs.write(tracefs.procRoot().resolve(SENDER + "/loginuid"), "1001");
        tracefs.process(50, 1, "bash", "0::/\n");
        executable(50, "/usr/bin/bash");
        tracefs.process(1, 0, "systemd", "0::/init.scope\n");
        tracefs.process(VICTIM, 1, "v-kill", "4:memory:/system.slice/nginx.service\n");

        SentSignal signal = read("kill");
        Sender sender = signal.sender();
        assertThat(sender.getPid()).isEqualTo(SENDER);
        assertThat(sender.getTgid()).isEqualTo(SENDER);
        assertThat(sender.getComm()).isEqualTo("runc");
        assertThat(sender.getExe()).isEqualTo("/usr/bin/docker");
        assertThat(sender.getCmdline()).isEqualTo("docker stop");
        assertThat(sender.getUid()).isEqualTo(1000);
        assertThat(sender.getLoginuid()).isEqualTo(1001);
        assertThat(sender.getTty()).isEqualTo("/dev/pts/3");
        assertThat(sender.getCgroup()).isEqualTo("/docker/" + CONTAINER_ID);
        assertThat(sender.getContainer().getId()).isEqualTo(CONTAINER_ID);
        assertThat(sender.getUnit()).isEmpty();
        assertThat(sender.getParentsList())
                .containsExactly(
                        ProcessRef.newBuilder()
                                .setPid(50)
                                .setComm("bash")
                                .setExe("/usr/bin/bash")
                                .build(),
                        ProcessRef.newBuilder().setPid(1).setComm("systemd").build());
        assertThat(signal.victimCgroup()).isEqualTo("/system.slice/nginx.service");
    }

    @Test
    void whoeverDidNotLogInHasNoLoginUid() {
        tracefs.process(SENDER, 1, "kill", "0::/system.slice/cron.service\n");
        Sender sender = read("kill").sender();
        assertThat(sender.hasLoginuid()).isFalse();
        assertThat(sender.getUnit()).isEqualTo("cron.service");
        assertThat(sender.getTty()).isEmpty();
    }

    @Test
    void aProcessThatStartedAfterTheSignalIsAnotherOne() {
        long afterTheSignal = 12_748_000_000_000L / 10_000_000;
        tracefs.process(SENDER, 1, "innocent", "0::/innocent\n", afterTheSignal, 0);
        tracefs.process(VICTIM, 1, "innocent", "0::/innocent\n", afterTheSignal, 0);
        SentSignal signal = read("kill");
        assertThat(signal.sender()).isEqualTo(Sender.newBuilder().setPid(SENDER).build());
        assertThat(signal.victimCgroup()).isEmpty();
    }

    @Test
    void aVictimOnItsWayOutOfCgroupV1HasNoKnownCgroup() throws IOException {
        tracefs.process(VICTIM, 1, "v-kill", "4:memory:/\n");
        Path stat = tracefs.procRoot().resolve(VICTIM + "/stat");
        FakeTracefs.write(stat, Files.readString(stat).replace(" 4194560 ", " 4194564 "));
        assertThat(read("kill").victimCgroup()).isEmpty();
    }

    @Test
    void aLivingVictimInTheRootIsInTheRoot() {
        tracefs.process(VICTIM, 1, "v-kill", "4:memory:/\n");
        assertThat(read("kill").victimCgroup()).isEqualTo("/");
    }

    @Test
    void theParentsAreBoundedAlsoWhereTheyGoInACircle() {
        tracefs.process(SENDER, 50, "kill", "0::/\n");
        tracefs.process(50, 51, "a", "0::/\n");
        tracefs.process(51, 50, "b", "0::/\n");
        assertThat(read("kill").sender().getParentsList()).hasSize(16);
    }

    @Test
    void ofARequestToEndTheNearestParentsAreEnough() {
        tracefs.process(SENDER_OF_TERM, 50, "kill", "0::/\n");
        tracefs.process(50, 51, "a", "0::/\n");
        tracefs.process(51, 50, "b", "0::/\n");
        assertThat(read("term").sender().getParentsList()).hasSize(4);
    }

    @Test
    void inAStormSignalsGoOnWithThePidAlone() {
        tracefs.process(SENDER_OF_TWICE, 1, "kill", "0::/\n");
        source.open();
        for (int i = 0; i < SenderReader.LOOKUPS_PER_WAKEUP; i++) {
            tracefs.pages(FakeTracefs.recorded("kill"));
        }
        tracefs.pages(FakeTracefs.recorded("twice"));
        tracefs.nowNanos = FakeTracefs.AFTER_NANOS;
        for (int i = 0; i < SenderReader.LOOKUPS_PER_WAKEUP / 64; i++) {
            source.readAll();
        }
        assertThat(tracefs.signals).hasSize(SenderReader.LOOKUPS_PER_WAKEUP + 2);
        assertThat(tracefs.signals.getLast().sender().getPid()).isEqualTo(SENDER_OF_TWICE);
    }

    @Test
    void aWakeUpReadsSoManyProcessesAndTheNextOneReadsAgain() {
        tracefs.process(SENDER_OF_TWICE, 1, "kill", "0::/\n");
        SenderReader reader = reader();
        for (int i = 0; i < SenderReader.LOOKUPS_PER_WAKEUP; i++) {
            reader.read(0, i + 1_000_000, true, FakeTracefs.AFTER_NANOS);
        }
        assertThat(sender(reader))
                .isEqualTo(Sender.newBuilder().setPid(SENDER_OF_TWICE).build());
        reader.onWakeUp();
        assertThat(sender(reader).getComm()).isEqualTo("kill");
    }

    private SenderReader reader() {
        ProcessFiles files = new ProcessFiles(tracefs.procRoot());
        TraceClock clock = new TraceClock(() -> FakeTracefs.BEFORE_NANOS, () -> FakeTracefs.WALL, files);
        clock.adjust();
        SenderReader reader = new SenderReader(tracefs.procRoot(), new SenderCommand(false), clock);
        reader.open();
        return reader;
    }

    private static Sender sender(SenderReader reader) {
        return reader.read(SENDER_OF_TWICE, VICTIM, true, FakeTracefs.AFTER_NANOS)
                .sender();
    }

    @Test
    void terminalsByTheirNumbers() {
        assertThat(SenderReader.terminal(0)).isEmpty();
        assertThat(SenderReader.terminal(4 << 8 | 1)).isEqualTo("/dev/tty1");
        assertThat(SenderReader.terminal(4 << 8 | 64)).isEqualTo("/dev/ttyS0");
        assertThat(SenderReader.terminal(136 << 8)).isEqualTo("/dev/pts/0");
        assertThat(SenderReader.terminal(1 << 20 | 136 << 8 | 1)).isEqualTo("/dev/pts/257");
        assertThat(SenderReader.terminal(229 << 8 | 2)).isEqualTo("/dev/char/229:2");
    }
}
