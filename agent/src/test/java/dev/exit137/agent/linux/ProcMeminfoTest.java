package dev.exit137.agent.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProcMeminfoTest {
    @Test
    void memoryOfTheNodeIsWhatKubeletReads(@TempDir Path procRoot) throws Exception {
        assertThat(ProcMeminfo.totalBytes(procRoot)).isEmpty();
        Files.writeString(procRoot.resolve("meminfo"), "MemTotal:       16318476 kB\nMemFree:          226132 kB\n");
        assertThat(ProcMeminfo.totalBytes(procRoot)).hasValue(16318476L << 10);
    }
}
