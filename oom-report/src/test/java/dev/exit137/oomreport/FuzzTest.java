package dev.exit137.oomreport;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.Jazzer;
import dev.exit137.oomreport.parse.KillPathFuzzTarget;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/**
 * Runs every class whose name ends in {@code FuzzTarget} in Jazzer, which looks for inputs that reach code not reached
 * before, for {@code fuzz.seconds} each ({@code make fuzz}: 600). A target has a method {@code public static void
 * fuzzerTestOneInput(byte[])} that throws when something is wrong; it may be given any bytes, and begins with reports,
 * one message a line.
 *
 * <p>Jazzer's own JUnit extension does not load its agent into the JVM of the tests: so it has a process of its own. An
 * input that fails is kept in {@code target/fuzz}.
 */
@Tag("fuzz")
class FuzzTest {
    private static final Path CLASSES = Path.of("target/test-classes");
    private static final Path FUZZ = Path.of("target/fuzz");
    private static final int MAX_INPUT_BYTES = 1024;
    private static final long START_SECONDS = 120;

    private final long seconds = Long.getLong("fuzz.seconds", 3);

    @TestFactory
    Stream<DynamicTest> noInputBreaksTheParsers() throws IOException {
        Path seeds = Files.createDirectories(FUZZ.resolve("seeds"));
        writeSeeds(seeds);
        return targets().stream().map(target -> DynamicTest.dynamicTest(target, () -> fuzz(target, seeds)));
    }

    private static List<String> targets() throws IOException {
        try (Stream<Path> files = Files.walk(CLASSES)) {
            return files.map(file -> CLASSES.relativize(file).toString())
                    .filter(name -> name.endsWith("FuzzTarget.class"))
                    .map(name -> name.replace(".class", "").replace('/', '.'))
                    .sorted()
                    .toList();
        }
    }

    private void fuzz(String target, Path seeds) throws Exception {
        Path found = Files.createDirectories(FUZZ.resolve(target));
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx1g",
                "-XX:+EnableDynamicAgentLoading",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-cp",
                classPath(),
                Jazzer.class.getName(),
                "--target_class=" + target,
                "--instrumentation_includes=dev.exit137.oomreport.**",
                "--instrumentation_excludes=dev.exit137.oomreport.parse.NaiveOomLineParser",
                "--reproducer_path=" + found,
                "-artifact_prefix=" + found + File.separator,
                "-max_total_time=" + seconds,
                "-max_len=" + MAX_INPUT_BYTES,
                "-timeout=20",
                "-rss_limit_mb=0",
                "-print_final_stats=1",
                Files.createDirectories(found.resolve("corpus")).toString(),
                seeds.toString()));
        Path log = found.resolve("log");
        Process jazzer = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        try {
            boolean ended = jazzer.waitFor(seconds + START_SECONDS, TimeUnit.SECONDS);
            List<String> lines = Files.readAllLines(log, StandardCharsets.ISO_8859_1);
            String tail = String.join("\n", lines.subList(Math.max(0, lines.size() - 60), lines.size()));
            assertThat(ended && jazzer.exitValue() == 0).as(tail).isTrue();
            assertThat(lines).as("guided by what was reached: " + tail).anyMatch(line -> line.contains(" cov: "));
            lines.stream()
                    .filter(line -> line.startsWith("Done "))
                    .forEach(line -> System.out.println(target + ": " + line));
        } finally {
            jazzer.destroyForcibly();
        }
    }

    /** Surefire's own is a jar that only names the others. */
    private static String classPath() {
        return System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    }

    private static void writeSeeds(Path seeds) throws IOException {
        try (Stream<Path> files = Files.walk(Path.of("src/test/resources"))) {
            for (Path file :
                    files.filter(file -> file.toString().endsWith(".kmsg")).toList()) {
                byte[] report = Files.readAllBytes(file);
                for (int at = 0; at < report.length; at += MAX_INPUT_BYTES) {
                    String part = new String(
                            report, at, Math.min(MAX_INPUT_BYTES, report.length - at), StandardCharsets.ISO_8859_1);
                    Files.writeString(
                            seeds.resolve(file.getFileName() + "-" + at),
                            part.replaceAll("(?m)^\\d+,\\d+,\\d+,[^;]*;", ""),
                            StandardCharsets.ISO_8859_1);
                }
            }
        }
        int number = 0;
        for (String form : KillPathFuzzTarget.seeds()) {
            Files.writeString(seeds.resolve("form-" + number++), form, StandardCharsets.ISO_8859_1);
        }
    }
}
