package dev.exit137.cli.local;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DockerSocketTest {
    @TempDir
    Path directory;

    private Optional<String> get(String answer) throws IOException {
        Path socket = directory.resolve("docker.sock");
        try (FakeDocker _ = new FakeDocker(socket, path -> path.equals("/x") ? answer : "wrong path")) {
            return new DockerSocket(socket, Duration.ofMinutes(1)).get("/x");
        }
    }

    @Test
    void aBodyLargerThanAReadComesWhole() throws IOException {
        String body = "é".repeat(200_000);
        assertThat(get(FakeDocker.ok(body))).contains(body);
    }

    @Test
    void chunksThatAProxySendsAreJoinedByTheirSizesInBytes() throws IOException {
        assertThat(get("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\néa\r\n2;x=y\r\nbc\r\n0\r\n\r\n"))
                .contains("éabc");
    }

    @Test
    void whatIsNotThereIsEmpty() throws IOException {
        assertThat(get("HTTP/1.0 404 Not Found\r\n\r\n{}")).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "'HTTP/1.0 500 Internal Server Error\r\n\r\n', it answers 500",
        "'SSH-2.0-OpenSSH\r\n', what answers is not the Docker Engine API",
        "'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', a chunk of its answer is malformed",
    })
    void anythingElseIsAFailureThatNamesTheSocket(String answer, String reason) {
        assertThatThrownBy(() -> get(answer))
                .isInstanceOf(IOException.class)
                .hasMessage("Docker at " + directory.resolve("docker.sock") + ": " + reason);
    }

    @Test
    void aDockerThatSaysNothingIsWaitedForOnlySoLong() throws IOException {
        Path socket = directory.resolve("docker.sock");
        try (FakeDocker _ = new FakeDocker(socket, path -> null)) {
            assertThatThrownBy(() -> new DockerSocket(socket, Duration.ofMillis(50)).get("/x"))
                    .hasMessageContaining("does not answer within");
        }
    }

    @Test
    void aSocketThatIsNotThereIsAFailure() {
        assertThatThrownBy(() -> new DockerSocket(directory.resolve("none"), Duration.ofSeconds(1)).get("/x"))
                .hasMessageStartingWith("Docker at " + directory.resolve("none") + ": ");
    }
}
