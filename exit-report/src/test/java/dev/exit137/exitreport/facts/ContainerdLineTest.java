package dev.exit137.exitreport.facts;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.exitreport.facts.ContainerdLine.Kind;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class ContainerdLineTest {
    private static final String ID = "4f0c2d1e9a7b6c5d".repeat(4);
    private static final String TIME = "2001-02-03T04:05:06.303717834Z";
    private static final Instant AT = Instant.parse(TIME);

    private static String text(String message) {
        return "time=\"" + TIME + "\" level=info msg=\"" + message.replace("\"", "\\\"") + "\"";
    }

    private static ContainerdLine read(String line) {
        return ContainerdLine.of(line).orElseThrow();
    }

    @Test
    void theFourLinesOfAStopAreRead() {
        assertThat(read(text("StopContainer for \"" + ID + "\" with timeout 1 (s)")))
                .isEqualTo(new ContainerdLine(AT, Kind.STOP, ID, Duration.ofSeconds(1), null));
        assertThat(read(text("Stop container \"" + ID + "\" with signal terminated")))
                .isEqualTo(new ContainerdLine(AT, Kind.SIGNAL, ID, null, 15));
        assertThat(read(text("Kill container \"" + ID + "\"")))
                .isEqualTo(new ContainerdLine(AT, Kind.KILL, ID, null, 9));
        assertThat(read(text("StopPodSandbox for \"" + ID + "\"")))
                .isEqualTo(new ContainerdLine(AT, Kind.STOP_POD, ID, null, null));
        assertThat(read(text("Forcibly stopping container \"" + ID + "\"")))
                .isEqualTo(new ContainerdLine(AT, Kind.REMOVE, ID, null, null));
    }

    /** {@code format = "json"} of containerd's {@code [debug]}. */
    @Test
    void aLogOfJsonSaysTheSame() {
        assertThat(read("{\"level\":\"info\",\"msg\":\"StopContainer for \\\"" + ID
                        + "\\\" with timeout 30 (s)\",\"time\":\"" + TIME + "\"}"))
                .isEqualTo(new ContainerdLine(AT, Kind.STOP, ID, Duration.ofSeconds(30), null));
    }

    @Test
    void aLineWithMoreFieldsAndAnOffsetOfTimeIsRead() {
        assertThat(read("time=\"2001-02-03T06:05:06.303717834+02:00\" level=info msg=\"Kill container \\\"" + ID
                                + "\\\"\" namespace=k8s.io")
                        .time())
                .isEqualTo(AT);
    }

    @Test
    void aSignalWithoutANameHasItsNumberAndAnUnknownWordHasNone() {
        assertThat(read(text("Stop container \"" + ID + "\" with signal signal 37"))
                        .signal())
                .isEqualTo(37);
        assertThat(read(text("Stop container \"" + ID + "\" with signal whatever"))
                        .signal())
                .isNull();
        assertThat(read(text("Stop container \"" + ID + "\" with signal signal 4711"))
                        .signal())
                .isNull();
    }

    @Test
    void aTimeoutThatNobodyMeansIsNotKnownAndANegativeOneIsNone() {
        assertThat(read(text("StopContainer for \"" + ID + "\" with timeout 999999999999999999 (s)"))
                        .grace())
                .isNull();
        assertThat(read(text("StopContainer for \"" + ID + "\" with timeout -5 (s)"))
                        .grace())
                .isEqualTo(Duration.ZERO);
    }

    /** The reports of success and failure begin with the same words, and come after the end. */
    @Test
    void whatOnlyBeginsAsARequestIsNone() {
        for (String message : new String[] {
            "StopContainer for \"" + ID + "\" returns successfully",
            "StopPodSandbox for \"" + ID + "\" returns successfully",
            "Kill container \"" + ID + "\" or not",
            "Kill container \"../../etc\"",
            "failed: Kill container \"" + ID + "\"",
        }) {
            assertThat(read(text(message)).kind()).as(message).isEqualTo(Kind.OTHER);
        }
    }

    /** A container's name or a client's error stands quoted within a message of containerd's own. */
    @Test
    void wordsThatSomebodyElseMadeContainerdLogAreNotItsOwn() {
        assertThat(read(text("ExecSync for \"x\" with command [Kill container \"" + ID + "\"]"))
                        .kind())
                .isEqualTo(Kind.OTHER);
        assertThat(ContainerdLine.of("msg=\"Kill container \\\"" + ID + "\\\"\""))
                .isEmpty();
        assertThat(ContainerdLine.of("Kill container \"" + ID + "\"")).isEmpty();
    }

    @Test
    void whatIsNotOfLogrusIsNothing() {
        assertThat(ContainerdLine.of("")).isEmpty();
        assertThat(ContainerdLine.of("{")).isEmpty();
        assertThat(ContainerdLine.of("{\"msg\":\"Kill container\"}")).isEmpty();
        assertThat(ContainerdLine.of("time=\"yesterday at five o'clock\" level=info msg=\"x\""))
                .isEmpty();
        assertThat(ContainerdLine.of("time=\"" + TIME + "\" level=error msg=\"Kill container \\\"" + ID + "\\\"\""))
                .isEmpty();
    }
}
