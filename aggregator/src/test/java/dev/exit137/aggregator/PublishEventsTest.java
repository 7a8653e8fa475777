package dev.exit137.aggregator;

import static dev.exit137.aggregator.Fixture.event;
import static dev.exit137.aggregator.Fixture.events;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.EventAck;
import dev.exit137.proto.v1.GetEventRequest;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.ListNodesRequest;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.NodeState;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.Trigger;
import dev.exit137.proto.v1.WatchEventsRequest;
import dev.exit137.proto.v1.WorkloadHistory;
import dev.exit137.proto.v1.WorkloadOom;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class PublishEventsTest {
    private static final ListEventsRequest ALL = ListEventsRequest.getDefaultInstance();
    private static final Node NODE_A = Node.newBuilder().setName("node-a").build();

    @TempDir
    private Path dataDir;

    private Fixture fixture;

    @BeforeEach
    void start() throws IOException {
        fixture = new Fixture(dataDir);
    }

    @AfterEach
    void stop() {
        fixture.close();
    }

    @Test
    void everyEventIsAcknowledgedOnceInTheOrderInWhichItWasSent() {
        TestAgent agent = fixture.agent();
        for (OomKillEvent event : events(0, 1000)) {
            agent.send(event);
        }

        Status end = agent.finish();

        assertThat(end.isOk()).isTrue();
        assertThat(agent.untakenAcks()).isEqualTo(1000);
        assertThat(IntStream.range(0, 1000)
                        .mapToObj(i -> agent.nextAck().getEventId())
                        .toList())
                .isEqualTo(IntStream.range(0, 1000).mapToObj(i -> "event-" + i).toList());
    }

    @Test
    void aFloodOfManyAgentsIsStoredWhole() throws InterruptedException {
        List<Thread> agents = IntStream.range(0, 8)
                .mapToObj(i -> Thread.startVirtualThread(() -> fixture.publish(events(i * 500, i * 500 + 500))))
                .toList();
        for (Thread agent : agents) {
            agent.join();
        }

        assertThat(fixture.list(ALL.toBuilder().setPageSize(1000).build()))
                .hasSize(4000)
                .doesNotHaveDuplicates();
    }

    @Test
    void anEventSentAgainIsAcknowledgedAndNeitherStoredNorWatchedAgain() {
        Fixture.Watch watch = fixture.watch(WatchEventsRequest.getDefaultInstance());

        fixture.publish(event(1), event(1));
        fixture.publish(event(1));
        fixture.publish(event(2));

        assertThat(fixture.list(ALL)).containsExactly("event-2", "event-1");
        assertThat(watch.nextIds(2)).containsExactly("event-1", "event-2");
    }

    @Test
    void anOutdatedRevisionIsAcknowledgedAndTheHighestStays() {
        TestAgent agent = fixture.agent();
        agent.send(revision(3));
        agent.send(revision(2));

        assertThat(agent.nextAck()).isEqualTo(ack(3));
        assertThat(agent.nextAck()).isEqualTo(ack(2));
        assertThat(fixture.consumer()
                        .getEvent(GetEventRequest.newBuilder()
                                .setEventId("event-1")
                                .build()))
                .isEqualTo(revision(3));
    }

    @Test
    void revisionsAreUnsigned() {
        fixture.publish(revision(Integer.MAX_VALUE), revision(-1), revision(5));

        assertThat(fixture.consumer()
                        .getEvent(GetEventRequest.newBuilder()
                                .setEventId("event-1")
                                .build())
                        .getRevision())
                .isEqualTo(-1);
    }

    static Stream<Arguments> brokenEvents() {
        return Stream.of(
                arguments(event(1).toBuilder().clearEventId().build(), "event.event_id: "),
                arguments(event(1).toBuilder().setEventId("ä".repeat(129)).build(), "event.event_id: "),
                arguments(event(1).toBuilder().setRevision(0).build(), "event.revision: "),
                arguments(event(1).toBuilder().clearNode().build(), "event.node.name: "),
                arguments(
                        event(1).toBuilder()
                                .setNode(Node.newBuilder().setName("n".repeat(254)))
                                .build(),
                        "event.node.name: "),
                arguments(
                        event(1).toBuilder()
                                .setTime(Timestamp.newBuilder().setNanos(-1))
                                .build(),
                        "event.time: "),
                arguments(
                        event(1).toBuilder()
                                .setKernelTime(
                                        Duration.newBuilder().setSeconds(1).setNanos(-1))
                                .build(),
                        "event.kernel_time: "),
                arguments(
                        event(1).toBuilder()
                                .setWorkloadHistory(WorkloadHistory.newBuilder()
                                        .addRecent(WorkloadOom.newBuilder()
                                                .setTime(Timestamp.newBuilder().setSeconds(Long.MAX_VALUE))))
                                .build(),
                        "event.workload_history.recent.time: "),
                arguments(
                        event(1).toBuilder().setCgroupPath("/".repeat(3 << 20)).build(), "event.cgroup_path: "),
                arguments(
                        event(1).toBuilder()
                                .setIncident(Incident.newBuilder()
                                        .setTrigger(Trigger.newBuilder().setComm("c".repeat(70_000))))
                                .build(),
                        "event.incident.trigger.comm: "));
    }

    @ParameterizedTest
    @MethodSource("brokenEvents")
    void anEventThatBreaksARuleEndsTheStreamAndWhatCameBeforeIsAcknowledged(OomKillEvent broken, String expectedField) {
        TestAgent agent = fixture.agent();
        agent.send(event(0));
        agent.send(broken);
        agent.send(event(2));

        Status end = agent.end();

        assertThat(end.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(end.getDescription()).startsWith(expectedField);
        assertThat(agent.nextAck().getEventId()).isEqualTo("event-0");
        fixture.publish(event(3));
        assertThat(fixture.list(ALL))
                .as("nothing of it is stored, and the process serves on")
                .containsExactly("event-3", "event-0");
    }

    @Test
    void aStatusWithoutANodeEndsTheStreamAndAMessageOfNothingToo() {
        TestAgent nameless = fixture.agent();
        nameless.send(AgentStatus.getDefaultInstance());
        TestAgent empty = fixture.agent();
        empty.sendEmpty();

        assertThat(nameless.end().getDescription()).startsWith("status.node.name: ");
        assertThat(empty.end().getDescription()).startsWith("message: ");
        assertThat(fixture.consumer()
                        .listNodes(ListNodesRequest.getDefaultInstance())
                        .getNodesList())
                .isEmpty();
    }

    @Test
    void aMessageOverTheSizeLimitIsRefusedAndTheProcessServesOn() {
        TestAgent agent = fixture.agent();
        agent.send(event(1).toBuilder().setExplanation("x".repeat(5 << 20)).build());

        assertThat(agent.end().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
        fixture.publish(event(2));
        assertThat(fixture.list(ALL)).containsExactly("event-2");
    }

    @Test
    void whatTheDiskDoesNotTakeIsNotAcknowledgedAndIsStoredWhenSentAgain() throws SQLException {
        execute("CREATE TRIGGER full BEFORE INSERT ON event BEGIN SELECT RAISE(FAIL, 'disk is full'); END");
        TestAgent agent = fixture.agent();
        agent.send(event(1));

        Status end = agent.end();

        assertThat(end.getCode()).isEqualTo(Status.Code.UNAVAILABLE);
        assertThat(end.getDescription()).contains("disk is full");
        assertThat(agent.untakenAcks()).isZero();
        assertThat(fixture.consumer()
                        .listNodes(ListNodesRequest.getDefaultInstance())
                        .getNodesList())
                .as("nothing of the transaction is stored, the node's last_seen neither")
                .isEmpty();
        execute("DROP TRIGGER full");
        fixture.publish(event(1));
        assertThat(fixture.list(ALL)).containsExactly("event-1");
    }

    @Test
    void aNodeIsConnectedWhileItsStreamIsOpenAndRememberedAfterwards() throws IOException {
        AgentStatus status = AgentStatus.newBuilder()
                .setNode(NODE_A)
                .setAgentVersion("1.2.3")
                .build();
        TestAgent agent = fixture.agent();
        agent.send(status);
        agent.send(event(1));
        agent.nextAck();

        NodeState open = onlyNode();
        agent.finish();
        NodeState closed = onlyNode();

        assertThat(open.getConnected()).isTrue();
        assertThat(open.getStatus()).isEqualTo(status);
        assertThat(open.getLastSeen().getSeconds()).isPositive();
        assertThat(closed).isEqualTo(open.toBuilder().setConnected(false).build());
        fixture.close();
        fixture = new Fixture(dataDir);
        assertThat(onlyNode()).as("after a restart").isEqualTo(closed);
    }

    @Test
    void anEventAloneMakesItsNodeKnownAndMovesLastSeen() {
        TestAgent agent = fixture.agent();
        agent.send(event(1));
        agent.nextAck();
        NodeState first = onlyNode();
        agent.send(event(2));
        agent.nextAck();

        assertThat(first.getStatus().getNode().getName()).isEqualTo("node-a");
        assertThat(onlyNode().getLastSeen()).isNotEqualTo(first.getLastSeen());
    }

    @Test
    void aNodeWithAnOldAndANewStreamStaysConnectedWhenTheOldOneEnds() {
        TestAgent old = fixture.agent();
        old.send(event(1));
        old.nextAck();
        TestAgent current = fixture.agent();
        current.send(event(2));
        current.nextAck();

        old.finish();

        assertThat(onlyNode().getConnected()).isTrue();
    }

    private NodeState onlyNode() {
        List<NodeState> nodes = fixture.consumer()
                .listNodes(ListNodesRequest.getDefaultInstance())
                .getNodesList();
        assertThat(nodes).hasSize(1);
        return nodes.getFirst();
    }

    private void execute(String sql) throws SQLException {
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + dataDir.resolve("events.db"));
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private static OomKillEvent revision(int revision) {
        return event(1).toBuilder().setRevision(revision).build();
    }

    private static EventAck ack(int revision) {
        return EventAck.newBuilder().setEventId("event-1").setRevision(revision).build();
    }
}
