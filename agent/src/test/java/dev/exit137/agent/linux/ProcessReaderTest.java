package dev.exit137.agent.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProcessReaderTest {
    private static final int OWN_PID = (int) ProcessHandle.current().pid();
    private static final int NOBODY = 99_999_999;

    @TempDir
    private Path procRoot;

    private ProcessReader reader = new ProcessReader(Path.of("/proc"));

    @AfterEach
    void close() {
        reader.close();
    }

    @Test
    void aProcessIsAsTheSlowReaderAndTheJvmKnowIt() {
        reader.readAll(OWN_PID);
        ProcessFiles slow = new ProcessFiles(Path.of("/proc"));
        ProcessHandle own = ProcessHandle.current();
        assertThat(reader.executable()).isEqualTo(own.info().command().orElseThrow());
        assertThat(reader.cgroup()).isEqualTo(slow.cgroupPath(OWN_PID).orElseThrow());
        assertThat(reader.comm()).isEqualTo(slow.comm(OWN_PID).orElseThrow().toString());
        assertThat(reader.stat().orElseThrow().parentPid())
                .isEqualTo((int) own.parent().orElseThrow().pid());
        assertThat(reader.stat().orElseThrow().startedAfterBoot())
                .isEqualTo(slow.stat(OWN_PID).orElseThrow().startedAfterBoot());
        assertThat(reader.tgid()).isEqualTo(OWN_PID);
        assertThat(reader.uid()).isNotNegative();
        assertThat(reader.arguments())
                .isNotEmpty()
                .isEqualTo(slow.commandLine(OWN_PID)
                        .orElseThrow()
                        .subList(0, reader.arguments().size()));
    }

    @Test
    void aProcessThatIsGoneHasNothingOfTheOneBefore() {
        reader.readAll(OWN_PID);
        reader.readAll(NOBODY);
        assertThat(reader.stat()).isEmpty();
        assertThat(reader.executable()).isEmpty();
        assertThat(reader.cgroup()).isEmpty();
        assertThat(reader.comm()).isEmpty();
        assertThat(reader.arguments()).isEmpty();
        assertThat(reader.tgid()).isNegative();
        assertThat(reader.uid()).isNegative();
        assertThat(reader.loginUid()).isNegative();
        reader.readAll(0);
        assertThat(reader.stat()).isEmpty();
    }

    @Test
    void whatIsNotReadIsNotThatOfTheOneBefore() {
        reader.readAll(OWN_PID);
        reader.readVictim(OWN_PID);
        assertThat(reader.arguments()).isEmpty();
        reader.readProgram(OWN_PID);
        assertThat(reader.cgroup()).isEmpty();
    }

    @Test
    void aFileThatIsNoneOfTheKernelsIsUnknownInItsPart() throws IOException {
        Path process = Files.createDirectories(procRoot.resolve("5"));
        Files.writeString(process.resolve("stat"), "5 (a) b) S 1 2");
        Files.writeString(process.resolve("status"), "Name:\tUid:\nTgid:\tx\nUid:\t99999999999999999999\n");
        Files.writeString(process.resolve("loginuid"), "");
        Files.writeString(process.resolve("cgroup"), "nonsense\n1:\n:::\n");
        reader.close();
        reader = new ProcessReader(procRoot);
        reader.readAll(5);
        assertThat(reader.stat()).isEmpty();
        assertThat(reader.comm()).isEqualTo("a) b");
        assertThat(reader.tgid()).isNegative();
        assertThat(reader.uid()).isNegative();
        assertThat(reader.loginUid()).isNegative();
        assertThat(reader.cgroup()).isEmpty();
    }
}
