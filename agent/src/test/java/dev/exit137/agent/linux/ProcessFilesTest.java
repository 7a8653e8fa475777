package dev.exit137.agent.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProcessFilesTest {
    @TempDir
    private Path procRoot;

    private String cgroupPath(String cgroups) throws IOException {
        Files.writeString(Files.createDirectories(procRoot.resolve("5")).resolve("cgroup"), cgroups);
        return new ProcessFiles(procRoot).cgroupPath(5).orElse("none");
    }

    @Test
    void theMemoryCgroupIsThatOfTheHierarchyThatHasTheController() throws IOException {
        assertThat(cgroupPath("0::/a:b/c\n")).isEqualTo("/a:b/c");
        assertThat(cgroupPath("9:name=systemd:/x\n4:cpu,memory:/a\n0::/other\n"))
                .isEqualTo("/a");
        assertThat(cgroupPath("9:name=systemd:/x\n4:cpu:/a\n")).isEqualTo("none");
    }

    @Test
    void aCgroupThatWasRemovedHasThePathThatItHad() throws IOException {
        assertThat(cgroupPath("0::/a/b (deleted)\n")).isEqualTo("/a/b");
    }

    @Test
    void ofAProcessThatIsGoneNothingIsKnown() {
        ProcessFiles files = new ProcessFiles(procRoot);
        assertThat(files.cgroupPath(6)).isEmpty();
        assertThat(files.comm(6)).isEmpty();
        assertThat(files.age(6)).isEmpty();
        assertThat(files.commandLine(6)).isEmpty();
        assertThat(files.countsAsTheKernel()).isFalse();
    }

    @Test
    void theKernelsLogCountsInTheNamespaceOfTheMachine() {
        // Whatever namespace this test is in: its own pid is the machine's where the kernel's threads are seen.
        assertThat(new ProcessFiles(Path.of("/proc")).countsAsTheKernel())
                .isEqualTo(new ProcessFiles(Path.of("/proc"))
                        .comm(2)
                        .filter(comm -> comm.toString().equals("kthreadd"))
                        .isPresent());
    }
}
