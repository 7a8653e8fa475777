package dev.exit137.aggregator;

import static dev.exit137.aggregator.Fixture.failureOf;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.aggregator.query.ResumeTokenHeader;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.ListNodesRequest;
import dev.exit137.proto.v1.ListNodesResponse;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.NodeState;
import dev.exit137.proto.v1.SourceStatus;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ListNodesTest {
    private static final ListNodesRequest FIRST_PAGE = ListNodesRequest.getDefaultInstance();

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
    void statesThatAreTooManyForAMessageComeInPagesThatAreNot() {
        List<String> names = report(150, 60_000);

        List<ListNodesResponse> pages = pages(FIRST_PAGE);

        assertThat(pages).hasSize(3).allMatch(page -> page.getSerializedSize() <= 3 << 20);
        assertThat(names(pages)).isEqualTo(names);
        assertThat(pages.getFirst().getNodesCount()).as("as many as fit").isGreaterThan(50);
    }

    @Test
    void aPageHasNoMoreNodesThanWereAskedForAndTheLastOneHasNoToken() {
        List<String> names = report(5, 0);

        List<ListNodesResponse> pages =
                pages(ListNodesRequest.newBuilder().setPageSize(2).build());

        assertThat(pages).extracting(ListNodesResponse::getNodesCount).containsExactly(2, 2, 1);
        assertThat(names(pages)).isEqualTo(names);
        assertThat(fixture.consumer()
                        .listNodes(ListNodesRequest.newBuilder().setPageSize(5).build())
                        .getNextPageToken())
                .as("of a page that all nodes fill")
                .isEmpty();
    }

    @Test
    void aNodeWhoseNameIsNoAsciiIsFollowedByTheNext() {
        for (String name : List.of("näher", "node", "нода")) {
            report(AgentStatus.newBuilder()
                    .setNode(Node.newBuilder().setName(name))
                    .build());
        }

        assertThat(names(pages(ListNodesRequest.newBuilder().setPageSize(1).build())))
                .containsExactly("node", "näher", "нода");
    }

    @Test
    void aTokenIsGoodAfterARestart() throws IOException {
        List<String> names = report(3, 0);
        String token = fixture.consumer()
                .listNodes(FIRST_PAGE.toBuilder().setPageSize(2).build())
                .getNextPageToken();
        fixture.close();
        fixture = new Fixture(dataDir);

        assertThat(names(pages(FIRST_PAGE.toBuilder().setPageToken(token).build())))
                .containsExactly(names.get(2));
    }

    @ParameterizedTest
    @ValueSource(strings = {"nonsense!", "bg", "cjHwe8THXEjmv45CGsJHNMQAAAAAAAAAAgAAAAAAAAAAAAAAAAAAAAA"})
    void whatIsNoPageTokenIsAnInvalidArgument(String token) {
        Status status =
                failureOf(() -> pages(FIRST_PAGE.toBuilder().setPageToken(token).build()));

        assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(status.getDescription()).startsWith("page_token: ");
    }

    @Test
    void aTokenWithANameThatIsNoUtf8IsAnInvalidArgument() {
        String token = Base64.getUrlEncoder().encodeToString("n\u00c3(".getBytes(StandardCharsets.ISO_8859_1));

        Status status =
                failureOf(() -> pages(FIRST_PAGE.toBuilder().setPageToken(token).build()));

        assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(status.getDescription()).startsWith("page_token: ");
    }

    @Test
    void aNegativePageSizeIsAnInvalidArgument() {
        Status status =
                failureOf(() -> pages(FIRST_PAGE.toBuilder().setPageSize(-1).build()));

        assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(status.getDescription()).startsWith("page_size: it is -1");
    }

    @Test
    void everyPageHasTheTokenForAWatchAndWhatTheAggregatorSurvived() {
        report(2, 0);
        fixture.guard().caught("upkeep", new IllegalStateException("a defect of the test"));
        var headers = new AtomicReference<Metadata>();
        var consumer = fixture.consumer()
                .withInterceptors(MetadataUtils.newCaptureMetadataInterceptor(headers, new AtomicReference<>()));
        ListNodesRequest page = FIRST_PAGE.toBuilder().setPageSize(1).build();
        do {
            ListNodesResponse response = consumer.listNodes(page);

            assertThat(headers.getAndSet(null).get(ResumeTokenHeader.RESUME_TOKEN))
                    .isNotEmpty();
            assertThat(response.getInternalErrorsMap())
                    .containsEntry("upkeep", 1L)
                    .hasSize(1);
            page = page.toBuilder().setPageToken(response.getNextPageToken()).build();
        } while (!page.getPageToken().isEmpty());
    }

    /** All pages from the one that is asked for. */
    private List<ListNodesResponse> pages(ListNodesRequest first) {
        List<ListNodesResponse> pages = new ArrayList<>();
        ListNodesRequest next = first;
        do {
            ListNodesResponse page = fixture.consumer().listNodes(next);
            pages.add(page);
            next = next.toBuilder().setPageToken(page.getNextPageToken()).build();
        } while (!next.getPageToken().isEmpty());
        return pages;
    }

    private static List<String> names(List<ListNodesResponse> pages) {
        return pages.stream()
                .flatMap(page -> page.getNodesList().stream())
                .map(NodeState::getStatus)
                .map(status -> status.getNode().getName())
                .toList();
    }

    /** Nodes report that so many bytes are wrong with them; returns their names in order. */
    private List<String> report(int nodes, int bytes) {
        List<String> names =
                IntStream.range(0, nodes).mapToObj("node-%03d"::formatted).toList();
        SourceStatus source = SourceStatus.newBuilder()
                .setName("kmsg")
                .setDetail("x".repeat(bytes))
                .build();
        for (String name : names.reversed()) {
            report(AgentStatus.newBuilder()
                    .setNode(Node.newBuilder().setName(name))
                    .addSources(source)
                    .build());
        }
        return names;
    }

    private void report(AgentStatus status) {
        TestAgent agent = fixture.agent();
        agent.send(status);
        assertThat(agent.finish().isOk()).isTrue();
    }
}
