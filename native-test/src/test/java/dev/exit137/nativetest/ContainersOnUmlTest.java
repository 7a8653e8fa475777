package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/**
 * {@link ContainersTest} again, on a UML node with cgroup v2. It takes longer than any other test and uses one
 * processor, so the others run beside it.
 */
@Execution(ExecutionMode.CONCURRENT)
@Tag("kernel")
class ContainersOnUmlTest {
    private static final Duration LIMIT = Duration.ofMinutes(60);

    @TestFactory
    Stream<DynamicTest> containersOfANodeWithCgroupV2() throws IOException {
        for (String program : List.of("containerd", "ctr", "runc")) {
            if (Bed.find(program).isEmpty()) {
                Bed.skip(
                        "the UML bed (containers)",
                        "no " + program + " on PATH; on Debian: apt-get install containerd runc");
            }
        }
        Files.createDirectories(Bed.WORK);
        Files.writeString(Bed.WORK.resolve("classpath"), System.getProperty("java.class.path"));
        List<String> told =
                Bed.lines(UmlBed.boot("containers", 3072, LIMIT).directory().resolve("tests"));
        told.stream().filter(line -> !isResult(line)).forEach(System.out::println);
        List<String> results =
                told.stream().filter(ContainersOnUmlTest::isResult).toList();
        assertThat(results).as("tests that ran in the node").isNotEmpty();
        return results.stream()
                .map(line -> DynamicTest.dynamicTest(
                        line.split("[ :]")[1], () -> assertThat(line).startsWith(InBed.OK)));
    }

    private static boolean isResult(String line) {
        return line.startsWith(InBed.OK) || line.startsWith(InBed.FAILED);
    }
}
