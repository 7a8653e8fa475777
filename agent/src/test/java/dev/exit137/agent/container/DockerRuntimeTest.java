package dev.exit137.agent.container;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.Await;
import dev.exit137.agent.PidNamespace;
import dev.exit137.agent.container.Identities.Pace;
import dev.exit137.agent.exit.EndListener;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against exchanges in the words of Docker Engine 20.10, cut to what matters, over a unix socket. */
class DockerRuntimeTest {
    private static final String ID = "4f0c".repeat(16);
    private static final String LISTED =
            "{\"Id\":\"" + ID + "\",\"Names\":[\"/shop-cart-1\"],\"Image\":\"cart:7\",\"ImageID\":\"sha256:01\","
                    + "\"Command\":\"/cart\",\"Created\":1700000000,\"Ports\":[],\"State\":\"running\",\"Status\":\"Up 2 hours\","
                    + "\"Labels\":{\"com.docker.compose.project\":\"shop\",\"secret\":\"s3cr3t\"}}";
    private static final String INSPECTED = "{\"Id\":\"" + ID
            + "\",\"Created\":\"2026-11-20T10:00:00.5Z\",\"Path\":\"/cart\",\"State\":{\"Status\":\"running\","
            + "\"Running\":true,\"OOMKilled\":false,\"Pid\":4711,\"StartedAt\":\"2026-11-20T10:00:01.25Z\"},"
            + "\"Name\":\"/shop-cart-1\",\"RestartCount\":0,\"Config\":{\"Image\":\"cart:7\",\"Env\":[\"PASSWORD=x\"],"
            + "\"Labels\":{\"com.docker.compose.project\":\"shop\",\"com.docker.compose.service\":\"cart\","
            + "\"secret\":\"s3cr3t\"}}}";

    @TempDir
    private Path directory;

    private static final InstantSource CLOCK = InstantSource.fixed(Instant.parse("2026-12-01T00:00:00Z"));

    private final Guard guard = new Guard();
    private final Map<String, String> answers = new ConcurrentHashMap<>();
    private ServerSocketChannel server;
    private Identities identities;

    @BeforeEach
    void listen() throws IOException {
        PidNamespace.MACHINE.of(directory);
        Path socket = directory.resolve("docker.sock");
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket));
        Thread.ofVirtual().start(this::serve);
        identities = new Identities(
                new RuntimeSockets(List.of(), List.of(socket)),
                LabelFilter.DEFAULT,
                directory,
                EndListener.NONE,
                Instant.MAX,
                ContainerdLog.OFF,
                new Pace(
                        Duration.ofMillis(20),
                        Duration.ofSeconds(5),
                        Duration.ofMillis(5),
                        Duration.ofMinutes(5),
                        Duration.ofMinutes(5)),
                CLOCK,
                guard);
    }

    @AfterEach
    void end() throws IOException {
        identities.close();
        server.close();
    }

    private void serve() {
        try {
            while (true) {
                SocketChannel client = server.accept();
                Thread.ofVirtual().start(() -> answer(client));
            }
        } catch (IOException e) {
            // The test is over.
        }
    }

    private void answer(SocketChannel client) {
        try (client) {
            ByteBuffer request = ByteBuffer.allocate(4096);
            client.read(request);
            String path = new String(request.array(), 0, request.position(), StandardCharsets.US_ASCII).split(" ")[1];
            String answer =
                    answers.getOrDefault(path.split("\\?")[0], "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
            client.write(ByteBuffer.wrap(answer.getBytes(StandardCharsets.UTF_8)));
            if (path.startsWith("/events")) {
                // It has no end: the client closes.
                client.read(ByteBuffer.allocate(1));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void answers(String path, String json) {
        answers.put(
                path,
                "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\nServer: Docker/20.10.24 (linux)\r\n"
                        + "Transfer-Encoding: chunked\r\n\r\n" + Integer.toHexString(json.length()) + "\r\n" + json
                        + "\r\n0\r\n\r\n");
    }

    private Identity awaitWhole() {
        return Await.until(
                        "the container",
                        () -> identities.find(ID),
                        found -> found.filter(Identity::isWhole).isPresent())
                .orElseThrow();
    }

    @Test
    void aContainerHasItsNameImageComposeLabelsAndMainPid() throws IOException {
        Files.createDirectories(directory.resolve("4711"));
        Files.writeString(directory.resolve("4711/cgroup"), "0::/system.slice/docker-" + ID + ".scope\n");
        answers("/containers/json", "[" + LISTED + "]");
        answers("/containers/" + ID + "/json", INSPECTED);
        identities.start();

        Identity identity = awaitWhole();
        assertThat(identity.container().getRuntime()).isEqualTo("docker");
        assertThat(identity.container().getName()).isEqualTo("shop-cart-1");
        assertThat(identity.container().getImage()).isEqualTo("cart:7");
        assertThat(identity.container().hasPod()).isFalse();
        assertThat(identity.composeLabels())
                .isEqualTo(Map.of("com.docker.compose.project", "shop", "com.docker.compose.service", "cart"));
        assertThat(identity.mainPid()).isEqualTo(4711);
        assertThat(identity.startedAt()).isEqualTo(Instant.parse("2026-11-20T10:00:01.25Z"));
    }

    @Test
    void aStartThatDockerTellsOfIsLearnt() {
        answers("/containers/json", "[]");
        answers("/containers/" + ID + "/json", INSPECTED.replace("\"Status\":\"running\"", "\"Status\":\"exited\""));
        String event = "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"" + ID
                + "\"},\"time\":1,\"timeNano\":1000000000}\n";
        answers.put(
                "/events",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + Integer.toHexString(event.length()) + "\r\n"
                        + event + "\r\n");
        identities.start();

        assertThat(awaitWhole().container().getName()).isEqualTo("shop-cart-1");
    }

    @Test
    void somethingElseThatListensThereIsNotTakenForDocker() {
        answers("/containers/json", "<html>");
        identities.start();

        assertThat(Await.until(
                                "an answer",
                                () -> identities.status().getFirst(),
                                s -> s.getDetail().contains("Docker Engine"))
                        .getState())
                .isEqualTo(State.UNAVAILABLE);
    }

    @Test
    void aProcessIsOnlyAChildIfTheMainProcessOfBeforeTheKillStillLives() {
        Instant started = Instant.parse("2026-11-20T10:00:00Z");
        Identity identity = new Identity(Container.getDefaultInstance(), Map.of(), true, 7, started);

        assertThat(identity.isInit(7, started.plusSeconds(1), false)).contains(true);
        assertThat(identity.isInit(8, started.plusSeconds(1), true)).contains(false);
        assertThat(identity.isInit(8, started.plusSeconds(1), false)).isEmpty();
        assertThat(identity.isInit(8, started.minusSeconds(1), true)).isEmpty();
    }
}
