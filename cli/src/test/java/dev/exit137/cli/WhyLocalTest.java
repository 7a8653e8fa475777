package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.cli.local.FakeDocker;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command why on a machine without any daemon of exit137. */
class WhyLocalTest {
    @TempDir
    Path directory;

    private final Session session = new Session();
    private FakeDocker docker;

    @BeforeEach
    void makeHost() throws IOException {
        session.clock = () -> Instant.ofEpochSecond(1_796_004_000);
        session.environment.put("PATH", directory.toString());
        Files.writeString(directory.resolve("uptime"), "1000.00 100.00\n");
        Files.createDirectories(directory.resolve("sys/kernel"));
        Files.writeString(directory.resolve("sys/kernel/hostname"), "bed\n");
        Files.createFile(directory.resolve("kmsg"));
        String events = Files.readString(Path.of("src/test/resources/local/docker-events-20.10.jsonl"));
        docker = new FakeDocker(
                directory.resolve("docker.sock"),
                path -> path.startsWith("/events?")
                        ? FakeDocker.ok(events)
                        : path.startsWith("/containers/json") ? FakeDocker.ok("[]") : "HTTP/1.0 404 Not Found\r\n\r\n");
    }

    @AfterEach
    void close() throws IOException {
        docker.close();
    }

    private int why(String... args) {
        List<String> all = new ArrayList<>(List.of(
                "why",
                "--docker-endpoint",
                "unix://" + directory.resolve("docker.sock"),
                "--proc-root",
                directory.toString(),
                "--kmsg-path",
                directory.resolve("kmsg").toString()));
        all.addAll(List.of(args));
        return session.run(all.toArray(String[]::new));
    }

    @Test
    void aContainerIsExplainedWithItsTimelineItsGapsAndFactsThatAreMarked() {
        assertThat(why("--local", "a1")).isZero();
        assertThat(session.out())
                .startsWith("docker:a1: its last end")
                .contains(
                        "docker a1 on bed: ended 2026-11-30 01:58:37.747, exit code 137",
                        "  cause    stop timeout: one source says so",
                        "           2026-11-30 01:58:36.455  asked to end with SIGTERM",
                        "           2026-11-30 01:58:37.593  killed with SIGKILL, after 1.1 s",
                        "Beside it",
                        "  certain  - the container was removed: its settings are gone")
                .anyMatch(line -> line.startsWith("  missing  - trace: no agent of exit137 watched"))
                .anyMatch(line -> line.contains("logins: last is not installed"))
                .allMatch(line -> line.length() <= 100 || line.startsWith("  event "));
        assertThat(session.err()).isEmpty();
    }

    @Test
    void jsonHasTheEndThenTheFacts() {
        assertThat(why("--local", "a1", "-o", "json")).isZero();
        assertThat(session.out().getFirst()).startsWith("{\"kind\":\"exit\"").contains("\"cause\":\"STOP_TIMEOUT\"");
        assertThat(session.out())
                .contains("{\"kind\":\"fact\",\"certain\":true,\"text\":\"the container was removed: its settings are "
                        + "gone\"}");
        assertThat(session.err()).contains("exit137: not read: logins: last is not installed");
    }

    @Test
    void anUnknownNameIsAFailureWithTheNearestOnesAndWhatCouldNotBeRead() {
        assertThat(why("--local", "a1x")).isEqualTo(1);
        assertThat(session.err())
                .contains("exit137: not read: the journal: journalctl is not installed")
                .last()
                .asString()
                .startsWith("exit137: nothing is known of 'a1x'; did you mean a1");
    }

    @Test
    void localAndANamedAggregatorExcludeEachOther() {
        assertThat(why("--local", "a1", "--server", "127.0.0.1:1")).isEqualTo(2);
        assertThat(session.err()).first().asString().contains("give one of them");
    }

    @Test
    void aDockerEndpointThatIsNoPathIsBadUsage() {
        assertThat(session.run("why", "--local", "a1", "--docker-endpoint", "tcp://x"))
                .isEqualTo(2);
        assertThat(session.err()).first().asString().contains("--docker-endpoint must be the path of a unix socket");
    }

    @Test
    void aNumberOfEndsOutOfRangeIsBadUsage() {
        assertThat(why("--local", "a1", "--last", "0")).isEqualTo(2);
        assertThat(session.err()).first().asString().contains("--last must be 1 to 100, and is 0");
    }
}
