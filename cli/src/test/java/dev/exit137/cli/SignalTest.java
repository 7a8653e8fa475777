package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jnr.constants.platform.Signal;
import jnr.posix.POSIXFactory;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Tag("process")
class SignalTest {
    @TempDir
    private Path directory;

    @ParameterizedTest
    @EnumSource(names = {"SIGINT", "SIGTERM", "SIGHUP"})
    void aSignalEndsADaemonCleanlyWithExitCodeZeroAndNoStackTrace(Signal signal) throws Exception {
        Process aggregator = start(
                "aggregator",
                "--listen",
                "127.0.0.1:0",
                "--data-dir",
                directory.resolve("data").toString());
        try (BufferedReader stderr = aggregator.errorReader(StandardCharsets.UTF_8)) {
            List<String> said = new ArrayList<>();
            do {
                said.add(stderr.readLine());
            } while (said.getLast() != null && !said.getLast().contains("aggregator listens on 127.0.0.1:"));
            assertThat(said).doesNotContainNull();

            assertThat(POSIXFactory.getPOSIX().kill(aggregator.pid(), signal.intValue()))
                    .isZero();

            assertThat(stderr.lines()).noneMatch(line -> line.contains("Exception"));
            assertThat(aggregator.waitFor()).isZero();
        } finally {
            aggregator.destroyForcibly();
        }
    }

    private static Process start(String... args) throws IOException {
        // A shell starts what runs in its background with SIGINT ignored, and the program would inherit that.
        List<String> command = new ArrayList<>(List.of(
                "env",
                "--default-signal=INT",
                Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(List.of(System.getProperty("exit137.jvm.flags").split(" ")));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
        command.addAll(List.of(args));
        return new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
    }
}
