package dev.exit137.cli.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostProgramsTest {
    @TempDir
    Path directory;

    private Programs.Output run(Duration timeout, String script) throws IOException {
        Path program = directory.resolve("tool");
        Files.writeString(program, "#!/bin/sh\n" + script + "\n");
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        return new HostPrograms(Map.of("PATH", "/nowhere:" + directory), timeout).run("tool", "a b");
    }

    @Test
    void aProgramIsFoundByPathAndWhatItPrintedIsKept() throws IOException {
        assertThat(run(Duration.ofMinutes(1), "echo \"$1 $LC_ALL\"; echo hint >&2; echo more >&2; exit 3"))
                .isEqualTo(new Programs.Output(3, "a b C\n", "hint"));
    }

    @Test
    void aProgramThatDoesNotEndIsEnded() {
        assertThatThrownBy(() -> run(Duration.ofMillis(300), "exec sleep 600"))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith("tool did not end within");
    }

    @Test
    void aProgramThatIsNotInstalledIsNamed() {
        assertThatThrownBy(() -> new HostPrograms(Map.of("PATH", "/nowhere"), Duration.ofSeconds(1)).run("tool"))
                .hasMessage("tool is not installed");
    }
}
