package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** bin/exit137, in a copy of its own whose Java prints what it was started with. */
class LauncherTest {
    private static final Path BIN = Path.of(System.getProperty("exit137.root"), "bin");

    @TempDir
    private Path directory;

    private Path root;

    private record Result(int exitCode, List<String> output) {}

    @BeforeEach
    void install() throws IOException {
        root = Files.createDirectory(directory.resolve("a path with spaces"));
        Path bin = Files.createDirectory(root.resolve("bin"));
        for (String name : List.of("exit137", "find-java", "jvm.args")) {
            Files.copy(BIN.resolve(name), bin.resolve(name));
        }
        java("25.0.1");
    }

    private void java(String version) throws IOException {
        Path bin = Files.createDirectories(root.resolve("java/bin"));
        Path java = Files.writeString(bin.resolve("java"), """
        #!/bin/sh
        echo "arenas=$MALLOC_ARENA_MAX"
        for argument; do echo "$argument"; done
        """);
        assertThat(java.toFile().setExecutable(true)).isTrue();
        Files.writeString(root.resolve("java/release"), "JAVA_VERSION=\"" + version + "\"\n");
    }

    private Path jar(String lib) throws IOException {
        Path directory = Files.createDirectories(root.resolve(lib));
        return Files.createFile(directory.resolve("exit137-cli-9.9.jar")).getParent();
    }

    private Result launch(Map<String, String> environment, String... args) throws Exception {
        return launch(root.resolve("bin/exit137"), environment, args);
    }

    private Result launch(Path launcher, Map<String, String> environment, String... args) throws Exception {
        List<String> command = new ArrayList<>(List.of(launcher.toString()));
        command.addAll(List.of(args));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().keySet().removeIf(name -> name.startsWith("EXIT137_") || name.startsWith("MALLOC_"));
        builder.environment().put("JAVA_HOME", root.resolve("java").toString());
        builder.environment().putAll(environment);
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Result(process.waitFor(), output.lines().toList());
    }

    @Test
    void theLauncherShipsTheFlagsThatTheTestsProveThingsUnder() throws Exception {
        Path lib = jar("cli/target/dist/lib");
        assertThat(launch(Map.of(), "list", "two words"))
                .isEqualTo(new Result(
                        0,
                        List.of(
                                "arenas=1",
                                "@" + root.resolve("bin/jvm.args"),
                                "-cp",
                                lib + "/*",
                                "dev.exit137.cli.Main",
                                "list",
                                "two words")));
        assertThat(Files.readAllLines(BIN.resolve("jvm.args")))
                .filteredOn(line -> !line.startsWith("#"))
                .containsExactly(System.getProperty("exit137.jvm.flags").split(" "));
    }

    @Test
    void aDaemonHasFlagsOfItsOwn() throws Exception {
        Path lib = jar("lib");
        Path flags = Files.createFile(root.resolve("bin/agent.args"));
        assertThat(launch(Map.of(), "agent").output())
                .containsSubsequence("-cp", lib + "/*", "@" + flags, "dev.exit137.cli.Main", "agent");
        assertThat(launch(Map.of(), "aggregator", "agent").output()).doesNotContain("@" + flags);
    }

    @Test
    void whatMakeRuntimeMadeIsStartedOnItsOwnJava() throws Exception {
        jar("lib");
        Files.createFile(root.resolve("jvm.args"));
        Files.createFile(root.resolve("aggregator.args"));
        Files.move(root.resolve("java"), root.resolve("runtime"));
        assertThat(launch(Map.of("EXIT137_JAVA_OPTS", "-Xmx96m"), "aggregator").output())
                .containsExactly(
                        "arenas=1",
                        "@" + root.resolve("jvm.args"),
                        "@" + root.resolve("aggregator.args"),
                        "-Xmx96m",
                        "dev.exit137.cli.Main",
                        "aggregator");
    }

    @Test
    void furtherFlagsAreAppended() throws Exception {
        jar("lib");
        assertThat(launch(Map.of("EXIT137_JAVA_OPTS", "-Xmx24m -Xss1m")).output())
                .containsSubsequence("-Xmx24m", "-Xss1m", "dev.exit137.cli.Main");
    }

    @Test
    void anInstallationElsewhereIsFoundByItsHome() throws Exception {
        Path lib = jar("opt/lib");
        assertThat(launch(Map.of("EXIT137_HOME", root.resolve("opt").toString()))
                        .output())
                .contains(lib + "/*");
    }

    @Test
    void aCheckoutThatIsNotBuiltSaysHowToBuildIt() throws Exception {
        Result result = launch(Map.of());
        assertThat(result.exitCode()).isEqualTo(1);
        assertThat(result.output()).singleElement().asString().contains("run 'make build'");
    }

    @Test
    void anOldJavaHomeIsPassedOver() throws Exception {
        jar("lib");
        java("17.0.15");
        // What runs in its place, if anything, is the machine's own; the old one would print its arguments.
        assertThat(launch(Map.of(), "--version").output()).doesNotContain("arenas=1");
    }

    @Test
    void aSymbolicLinkToTheLauncherFindsItsJars() throws Exception {
        Path lib = jar("lib");
        Path link = Files.createSymbolicLink(root.resolve("link"), root.resolve("bin/exit137"));
        assertThat(launch(link, Map.of()).output()).contains(lib + "/*");
    }
}
