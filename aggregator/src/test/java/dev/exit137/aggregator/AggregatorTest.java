package dev.exit137.aggregator;

import static dev.exit137.aggregator.Fixture.event;
import static dev.exit137.aggregator.Fixture.failureOf;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.WatchEventsRequest;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.reflection.v1.ServiceResponse;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AggregatorTest {
    @TempDir
    private Path dataDir;

    @Test
    void aPortInUseIsAnErrorThatNamesItAndLeavesTheDataDirectoryFree() throws IOException {
        try (Fixture first = new Fixture(dataDir.resolve("first"))) {
            int taken = first.aggregator().port();
            AggregatorConfig second = new AggregatorConfig("127.0.0.1", taken, dataDir.resolve("second"));

            assertThatThrownBy(() -> start(second))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("127.0.0.1:" + taken)
                    .hasMessageContaining("in use")
                    .hasMessageContaining("--listen");
            new Fixture(dataDir.resolve("second")).close();
        }
    }

    @Test
    void aHostThatIsNotOfThisMachineIsAnErrorThatNamesIt() {
        assertThatThrownBy(() -> start(new AggregatorConfig("192.0.2.1", 0, dataDir)))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith("cannot listen on 192.0.2.1:0: ");
    }

    @Test
    void aDataDirectoryThatIsAFileIsAnErrorThatNamesIt() throws IOException {
        Path file = Files.createFile(dataDir.resolve("file"));

        assertThatThrownBy(() -> start(new AggregatorConfig("127.0.0.1", 0, file)))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith("data directory " + file + " cannot be used: " + file + " is not a directory")
                .hasMessageEndingWith("give a directory that can be written with --data-dir");
    }

    @Test
    void aDataDirectoryBelowAFileIsAnErrorThatNamesIt() throws IOException {
        Path below = Files.createFile(dataDir.resolve("file")).resolve("below");

        assertThatThrownBy(() -> start(new AggregatorConfig("127.0.0.1", 0, below)))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith("data directory " + below + " cannot be used: ")
                .hasMessageContaining("--data-dir");
    }

    @Test
    void twoAggregatorsDoNotShareADataDirectory() throws IOException {
        try (Fixture _ = new Fixture(dataDir)) {
            assertThatThrownBy(() -> start(new AggregatorConfig("127.0.0.1", 0, dataDir)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("another aggregator is using it");
        }
        new Fixture(dataDir).close();
    }

    @Test
    void aStoreThatIsNoDatabaseIsAnErrorThatNamesTheFile() throws IOException {
        Path file = Files.writeString(dataDir.resolve("events.db"), "rubbish".repeat(1000));

        assertThatThrownBy(() -> start(new AggregatorConfig("127.0.0.1", 0, dataDir)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(file.toString())
                .hasMessageContaining("not a database");
    }

    @Test
    void aDamagedStoreIsAnErrorThatNamesTheFileAndWhatToDo() throws IOException {
        try (Fixture fixture = new Fixture(dataDir)) {
            fixture.publish(Fixture.events(0, 1000));
        }
        Path file = dataDir.resolve("events.db");
        damage(file);

        assertThatThrownBy(() -> start(new AggregatorConfig("127.0.0.1", 0, dataDir)))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith("the event store " + file + " cannot be opened: ")
                .hasMessageContaining(".recover")
                .hasMessageEndingWith("or move it away to begin with an empty one");
    }

    @Test
    void aStoreThatIsDamagedWhileItRunsTakesNothingMoreUntilSomebodyHasSeenToIt() throws IOException {
        String large = "x".repeat(60_000);
        try (Fixture fixture = new Fixture(dataDir)) {
            for (int i = 0; i < 100; i++) {
                fixture.publish(
                        Fixture.event(i).toBuilder().setExplanation(large).build());
            }
        }
        try (Fixture fixture = new Fixture(dataDir)) {
            damage(dataDir.resolve("events.db"));
            Status read = failureOf(() -> fixture.list(ListEventsRequest.getDefaultInstance()));
            assertThat(read.getCode()).isEqualTo(Status.Code.UNAVAILABLE);

            TestAgent agent = fixture.agent();
            agent.send(Fixture.event(1000));

            assertThat(agent.end().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
            assertThat(agent.end().getDescription()).contains("the store's file is damaged");
            HealthCheckResponse health = HealthGrpc.newBlockingStub(fixture.newChannel())
                    .check(HealthCheckRequest.newBuilder()
                            .setService("exit137.v1.EventIngest")
                            .build());
            assertThat(health.getStatus()).isEqualTo(ServingStatus.NOT_SERVING);
        }
    }

    /** Rubbish from the second page on. */
    private static void damage(Path file) throws IOException {
        byte[] content = Files.readAllBytes(file);
        Arrays.fill(content, 4096, content.length, (byte) 0x5a);
        Files.write(file, content);
    }

    @Test
    void aStoreOfANewerVersionIsLeftAlone() throws IOException, SQLException {
        new Fixture(dataDir).close();
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + dataDir.resolve("events.db"))) {
            connection.createStatement().execute("PRAGMA user_version = 5");
        }

        assertThatThrownBy(() -> start(new AggregatorConfig("127.0.0.1", 0, dataDir)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("newer exit137 (schema version 5, this one knows 4)");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "exit137.v1.OomEvents", "exit137.v1.ExitEvents", "exit137.v1.EventIngest"})
    void healthSaysServing(String service) throws IOException {
        try (Fixture fixture = new Fixture(dataDir)) {
            HealthCheckResponse response = HealthGrpc.newBlockingStub(fixture.newChannel())
                    .check(HealthCheckRequest.newBuilder().setService(service).build());

            assertThat(response.getStatus()).isEqualTo(ServingStatus.SERVING);
        }
    }

    @Test
    void reflectionListsBothServices() throws IOException {
        try (Fixture fixture = new Fixture(dataDir)) {
            FirstResponse<ServerReflectionResponse> response = new FirstResponse<>();
            ServerReflectionGrpc.newStub(fixture.newChannel())
                    .serverReflectionInfo(response)
                    .onNext(ServerReflectionRequest.newBuilder()
                            .setListServices("")
                            .build());

            assertThat(response.join().getListServicesResponse().getServiceList())
                    .extracting(ServiceResponse::getName)
                    .contains(
                            "exit137.v1.OomEvents",
                            "exit137.v1.ExitEvents",
                            "exit137.v1.EventIngest",
                            "grpc.health.v1.Health");
        }
    }

    @Test
    @SuppressWarnings("deprecation")
    void theReflectionThatOlderGrpcurlsAskForListsBothServices() throws IOException {
        try (Fixture fixture = new Fixture(dataDir)) {
            FirstResponse<io.grpc.reflection.v1alpha.ServerReflectionResponse> response = new FirstResponse<>();
            io.grpc.reflection.v1alpha.ServerReflectionGrpc.newStub(fixture.newChannel())
                    .serverReflectionInfo(response)
                    .onNext(io.grpc.reflection.v1alpha.ServerReflectionRequest.newBuilder()
                            .setListServices("")
                            .build());

            assertThat(response.join().getListServicesResponse().getServiceList())
                    .extracting(io.grpc.reflection.v1alpha.ServiceResponse::getName)
                    .contains("exit137.v1.OomEvents", "exit137.v1.EventIngest");
        }
    }

    @Test
    void aStopSaysNotServingEndsStreamsAsUnavailableAndKeepsWhatWasAcknowledged() throws Exception {
        Fixture fixture = new Fixture(dataDir);
        ManagedChannel own = fixture.newChannel();
        Iterator<HealthCheckResponse> health = HealthGrpc.newBlockingStub(own)
                .withDeadlineAfter(30, TimeUnit.SECONDS)
                .watch(HealthCheckRequest.getDefaultInstance());
        Fixture.Watch watch = fixture.watch(WatchEventsRequest.getDefaultInstance());
        TestAgent agent = fixture.agent();
        agent.send(event(1));
        agent.nextAck();
        assertThat(health.next().getStatus()).isEqualTo(ServingStatus.SERVING);
        assertThat(watch.nextId()).isEqualTo("event-1");

        Thread stop = Thread.startVirtualThread(fixture.aggregator()::close);

        assertThat(health.next().getStatus()).isEqualTo(ServingStatus.NOT_SERVING);
        own.shutdownNow();
        Status end = failureOf(watch::nextEvent);
        assertThat(end.getCode()).isEqualTo(Status.Code.UNAVAILABLE);
        assertThat(end.getDescription()).contains("stopping");
        assertThat(agent.end().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
        stop.join();
        fixture.aggregator().awaitTermination();
        fixture.close();
        try (Fixture again = new Fixture(dataDir)) {
            assertThat(again.list(ListEventsRequest.getDefaultInstance())).containsExactly("event-1");
        }
    }

    @Test
    void everyThreadEndsWithTheStop() throws Exception {
        Fixture fixture = new Fixture(dataDir);
        fixture.publish(event(1));
        List<Thread> threads = Thread.getAllStackTraces().keySet().stream()
                .filter(t -> t.getName().startsWith("exit137-"))
                .toList();

        fixture.close();

        assertThat(threads).extracting(Thread::getName).contains("exit137-grpc", "exit137-store", "exit137-ingest-0");
        for (Thread thread : threads) {
            assertThat(thread.join(Duration.ofSeconds(10))).as(thread.getName()).isTrue();
        }
    }

    /** The first message of a stream. */
    private static final class FirstResponse<T> extends CompletableFuture<T> implements StreamObserver<T> {
        @Override
        public void onNext(T response) {
            complete(response);
        }

        @Override
        public void onError(Throwable failure) {
            completeExceptionally(failure);
        }

        @Override
        public void onCompleted() {
            completeExceptionally(new AssertionError("the stream ended without a message"));
        }
    }

    private static Aggregator start(AggregatorConfig config) throws IOException {
        return Aggregator.start(config, InstantSource.system(), new Guard());
    }
}
