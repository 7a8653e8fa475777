package dev.exit137.agent.container;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JvmFlagsTest {
    private static final long MIB = 1L << 20;
    private static final Long LIMIT = 512 * MIB;
    private static final Long NODE = 16384 * MIB;
    private static final List<String> NO_ENVIRONMENT = List.of();

    @Test
    void nothingButFlagsOfMemoryIsKept() {
        JvmFlags flags = JvmFlags.of(
                List.of(
                        "/opt/java/bin/java",
                        "-Ddb.password=s3cr3t",
                        "-Xmx480m",
                        "-javaagent:/a.jar=key=s3cr3t",
                        "-Xss1m",
                        "-XX:OnOutOfMemoryError=curl s3cr3t",
                        "-Xmx${s3cr3t}",
                        "-XX:+UseG1GC",
                        "-XX:MaxMetaspaceSize=128M",
                        "-jar",
                        "app.jar",
                        "--token",
                        "s3cr3t"),
                List.of("SECRET=s3cr3t", "XJAVA_TOOL_OPTIONS=-Xmx1m", "JAVA_TOOL_OPTIONS=-Dtoken=s3cr3t -Xms64m"));

        assertThat(flags.flags()).containsExactly("-Xms64m", "-Xmx480m", "-Xss1m", "-XX:MaxMetaspaceSize=128M");
        assertThat(flags.isComplete()).isTrue();
    }

    @Test
    void whatFollowsTheMainClassIsTheProgramsOwn() {
        assertThat(JvmFlags.of(List.of("java", "-cp", "-Xmx1m", "Main", "-Xmx2m"), NO_ENVIRONMENT)
                        .flags())
                .isEmpty();
        assertThat(JvmFlags.of(List.of("java", "-jar", "-Xmx1m", "app.jar", "-Xmx2m"), NO_ENVIRONMENT)
                        .flags())
                .containsExactly("-Xmx1m");
        assertThat(JvmFlags.of(List.of("java", "-Xmx1m", "-m", "a/b", "-Xmx2m"), NO_ENVIRONMENT)
                        .flags())
                .containsExactly("-Xmx1m");
    }

    @Test
    void environmentIsAppliedInHotspotsOrder() {
        JvmFlags flags = JvmFlags.of(
                List.of("java", "-Xmx3m", "Main"),
                List.of("_JAVA_OPTIONS='-Xmx4m'", "JDK_JAVA_OPTIONS=-Xmx2m\n-Xss2m", "JAVA_TOOL_OPTIONS=\"-Xmx1m\""));
        assertThat(flags.flags()).containsExactly("-Xmx1m", "-Xmx2m", "-Xss2m", "-Xmx3m", "-Xmx4m");
        assertThat(flags.maxHeapBytes(LIMIT, NODE)).hasValue(4 * MIB);
    }

    @ParameterizedTest
    @CsvSource({
        "-Xmx480m, 503316480",
        "-Xmx1G, 1073741824",
        "-Xmx262144K, 268435456",
        "-Xmx268435456, 268435456",
        "-XX:MaxHeapSize=256m, 268435456",
        "-XX:MaxRAMPercentage=75.0, 402653184",
        "-XX:MaxRAMFraction=2, 268435456",
        "-XX:MaxRAMPercentage=50 -XX:MaxRAM=1g, 536870912",
        "-XX:MaxRAMPercentage=50 -Xmx300m, 314572800",
        "-XX:MaxRAMPercentage=50 -XX:-UseContainerSupport, 8589934592",
        // none that can be told
        "-Xss1m, -1",
        "-Xmx0, -1",
        "-Xmx999999999999999999t, -1",
        "-XX:MaxRAMPercentage=20, -1",
        "-XX:MaxRAMPercentage=75 -XX:MinRAMPercentage=10, -1",
        "-Xmx480m @more, -1",
        "-Xmx480m -XX:Flags=/etc/f, -1",
        "-XX:MaxRAMFraction=0, -1"
    })
    void heapFollowsFromTheFlagsOrIsNotKnown(String words, long bytes) {
        List<String> arguments = new java.util.ArrayList<>(List.of("java"));
        arguments.addAll(List.of(words.split(" ")));
        assertThat(JvmFlags.of(arguments, NO_ENVIRONMENT).maxHeapBytes(LIMIT, NODE))
                .isEqualTo(bytes < 0 ? OptionalLong.empty() : OptionalLong.of(bytes));
    }

    @Test
    void shareOfAnUnlimitedContainerIsThatOfTheNodeAndOfAnUnknownOneUnknown() {
        JvmFlags flags = JvmFlags.of(List.of("java", "-XX:MaxRAMPercentage=25"), NO_ENVIRONMENT);
        assertThat(flags.maxHeapBytes(-1L, NODE)).hasValue(4096 * MIB);
        assertThat(flags.maxHeapBytes(null, NODE)).isEmpty();
        assertThat(flags.maxHeapBytes(LIMIT, null)).isEmpty();
        assertThat(flags.maxHeapBytes(200 * MIB, NODE))
                .as("so little counts by MinRAMPercentage")
                .isEmpty();
    }

    @Test
    void environmentThatCannotBeReadMayHoldAnotherHeap() {
        JvmFlags flags = JvmFlags.of(List.of("java", "-Xmx480m"), null);
        assertThat(flags.flags()).containsExactly("-Xmx480m");
        assertThat(flags.maxHeapBytes(LIMIT, NODE)).isEmpty();
    }

    @Test
    void hostileCommandLineIsBounded() {
        List<String> arguments = new java.util.ArrayList<>(List.of("java"));
        for (int i = 0; i < 10_000; i++) {
            arguments.add("-Xmx" + i + "m");
        }
        JvmFlags flags = JvmFlags.of(arguments, NO_ENVIRONMENT);
        assertThat(flags.flags()).hasSize(32);
        assertThat(flags.maxHeapBytes(LIMIT, NODE)).isEmpty();
    }

    @Test
    void onlyTheJavaCommandIsJava() {
        assertThat(JvmFlags.isJava(List.of("/usr/lib/jvm/bin/java", "-version")))
                .isTrue();
        assertThat(JvmFlags.isJava(List.of("java"))).isTrue();
        assertThat(JvmFlags.isJava(List.of("/bin/sh", "java"))).isFalse();
        assertThat(JvmFlags.isJava(List.of("javac"))).isFalse();
        assertThat(JvmFlags.isJava(List.of(""))).isFalse();
        assertThat(JvmFlags.isJava(List.of())).isFalse();
    }
}
