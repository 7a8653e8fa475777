package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.EventAck;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.ListEventsResponse;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomEventsGrpc;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.PublishEventsResponse;
import dev.exit137.proto.v1.WatchEventsRequest;
import dev.exit137.proto.v1.WatchEventsResponse;
import io.grpc.ManagedChannel;
import io.grpc.StatusException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.BlockingClientCall;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * An aggregator that is killed with SIGKILL again and again while agents send and a consumer follows. Each kill comes
 * when so many events are acknowledged, so the test waits for no clock.
 */
@Tag("process")
@Tag("soak")
class AggregatorKilledTest {
    private static final int SOAK_TIMES = Integer.getInteger("soak.times", 0);
    private static final int EVENTS = SOAK_TIMES == 0 ? 5_000 : 20_000;
    private static final int AGENTS = 4;
    private static final int KILLS = SOAK_TIMES == 0 ? 8 : 30;
    private static final int WINDOW = 100;
    // With what the agents have on its way that is less than all events, so events flow to the last kill, and after it.
    private static final int MAX_EVENTS_BEFORE_KILL = 250;
    private static final int SEED = 137;
    private static final int SIGKILLED = 137;
    private static final String FILLER = "x".repeat(500);

    @TempDir
    private Path directory;

    // Guarded by this.
    private int acknowledged;
    private int killAt = Integer.MAX_VALUE;
    private int starts;
    private int port;

    private volatile Process aggregator;

    @AfterEach
    void stop() {
        aggregator.destroyForcibly();
    }

    @ParameterizedTest
    @MethodSource("seeds")
    @Timeout(value = 10, unit = TimeUnit.MINUTES)
    void anAggregatorKilledAgainAndAgainHasEveryEventOnceAndItsConsumerSawEachOnce(int seed) throws Exception {
        start();
        List<CompletableFuture<Void>> agents = IntStream.range(0, AGENTS)
                .mapToObj(agent -> inBackground(() -> publish("node-" + agent)))
                .toList();
        List<String> watched = new ArrayList<>();
        CompletableFuture<Void> consumer = inBackground(() -> watch(watched));

        Random random = new Random(seed);
        for (int kill = 0; kill < KILLS; kill++) {
            killAfter(1 + random.nextInt(MAX_EVENTS_BEFORE_KILL));
            assertThat(aggregator.waitFor()).isEqualTo(SIGKILLED);
            start();
        }
        CompletableFuture.allOf(agents.toArray(CompletableFuture[]::new)).get();

        List<String> all = IntStream.range(0, EVENTS)
                .mapToObj(i -> id("node-" + i % AGENTS, i / AGENTS))
                .toList();
        List<String> stored = list();
        assertThat(stored).as("what is stored").hasSameSizeAs(all).hasSameElementsAs(all);
        // It would wait for ever for one that is not stored.
        consumer.get();
        assertThat(watched).as("what the consumer saw").isEqualTo(stored.reversed());
    }

    /** One short campaign; {@code soak.times} long ones. */
    static IntStream seeds() {
        return IntStream.range(0, Math.max(1, SOAK_TIMES)).map(time -> SEED + time);
    }

    /** As an agent does: what is not acknowledged is sent again on the next stream, in the same order. */
    private void publish(String node) throws InterruptedException {
        int count = EVENTS / AGENTS;
        int done = 0;
        for (int start = 1; done < count; start++) {
            ManagedChannel channel = connect(start);
            try {
                BlockingClientCall<PublishEventsRequest, PublishEventsResponse> call =
                        EventIngestGrpc.newBlockingV2Stub(channel).publishEvents();
                int sent = done;
                while (done < count) {
                    while (sent < count && sent - done < WINDOW) {
                        call.write(PublishEventsRequest.newBuilder()
                                .setEvent(event(node, sent++))
                                .build());
                    }
                    for (EventAck ack : call.read().getAcksList()) {
                        assertThat(ack.getEventId()).isEqualTo(id(node, done));
                        done++;
                        countAcknowledged();
                    }
                }
                call.halfClose();
            } catch (StatusException killed) {
                // The next one it is.
            } finally {
                channel.shutdownNow();
            }
        }
    }

    /** As a consumer does that remembers the token of the last message it has dealt with. */
    private void watch(List<String> ids) throws InterruptedException {
        WatchEventsRequest request = WatchEventsRequest.newBuilder()
                .setFromTime(Timestamp.getDefaultInstance())
                .build();
        for (int start = 1; ids.size() < EVENTS; start++) {
            ManagedChannel channel = connect(start);
            try {
                BlockingClientCall<?, WatchEventsResponse> call =
                        OomEventsGrpc.newBlockingV2Stub(channel).watchEvents(request);
                while (ids.size() < EVENTS) {
                    WatchEventsResponse message = call.read();
                    if (message.hasEvent()) {
                        ids.add(message.getEvent().getEventId());
                    }
                    request = WatchEventsRequest.newBuilder()
                            .setResumeToken(message.getResumeToken())
                            .build();
                }
            } catch (StatusException killed) {
                assertThat(killed.getStatus().getCode()).isEqualTo(io.grpc.Status.Code.UNAVAILABLE);
            } finally {
                channel.shutdownNow();
            }
        }
    }

    private List<String> list() throws InterruptedException {
        List<String> ids = new ArrayList<>();
        ManagedChannel channel = connect(KILLS + 1);
        try {
            ListEventsResponse page = ListEventsResponse.getDefaultInstance();
            do {
                page = OomEventsGrpc.newBlockingStub(channel)
                        .listEvents(ListEventsRequest.newBuilder()
                                .setPageSize(1000)
                                .setPageToken(page.getNextPageToken())
                                .build());
                page.getEventsList().forEach(event -> ids.add(event.getEventId()));
            } while (!page.getNextPageToken().isEmpty());
            return ids;
        } finally {
            channel.shutdownNow();
        }
    }

    private static OomKillEvent event(String node, int number) {
        return OomKillEvent.newBuilder()
                .setEventId(id(node, number))
                .setRevision(1)
                .setNode(Node.newBuilder().setName(node))
                .setExplanation(FILLER)
                .build();
    }

    private static String id(String node, int number) {
        return node + "/kmsg/" + number;
    }

    private void start() throws IOException {
        List<String> command = new ArrayList<>(
                List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(List.of(System.getProperty("exit137.jvm.flags").split(" ")));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
        command.addAll(List.of(
                "aggregator",
                "--listen",
                "127.0.0.1:0",
                "--data-dir",
                directory.resolve("data").toString()));
        aggregator = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        BufferedReader stderr = aggregator.errorReader(StandardCharsets.UTF_8);
        List<String> said = new ArrayList<>();
        String beforePort = "aggregator listens on 127.0.0.1:";
        do {
            said.add(stderr.readLine());
        } while (said.getLast() != null && !said.getLast().contains(beforePort));
        assertThat(said).doesNotContainNull();
        synchronized (this) {
            port = Integer.parseInt(said.getLast().split(beforePort)[1].split(",")[0]);
            starts++;
            notifyAll();
        }
    }

    /** A connection to what was started, once it was started so many times. */
    private synchronized ManagedChannel connect(int atStart) throws InterruptedException {
        while (starts < atStart) {
            wait();
        }
        return NettyChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    }

    private synchronized void killAfter(int furtherAcknowledgements) {
        killAt = acknowledged + furtherAcknowledgements;
    }

    /** Kills in the very moment of the acknowledgement: what was not on the disk before it is lost. */
    private synchronized void countAcknowledged() {
        acknowledged++;
        if (acknowledged >= killAt) {
            killAt = Integer.MAX_VALUE;
            aggregator.destroyForcibly();
        }
    }

    private interface Work {
        void run() throws Exception;
    }

    private static CompletableFuture<Void> inBackground(Work work) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        Thread.ofPlatform().daemon().start(() -> {
            try {
                work.run();
                done.complete(null);
            } catch (Exception | AssertionError e) {
                done.completeExceptionally(e);
            }
        });
        return done;
    }
}
