package dev.exit137.aggregator.access;

import static org.assertj.core.api.Assertions.assertThat;

import com.nimbusds.jose.util.Resource;
import dev.exit137.aggregator.TestCall;
import dev.exit137.aggregator.server.GuardedCalls;
import dev.exit137.aggregator.server.Refusals;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.PublishEventsResponse;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.Status;
import java.io.EOFException;
import java.io.IOException;
import java.net.URI;
import java.net.URL;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Calls with tokens, and an API server that answers with its keys when a test wants it to. */
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class AccessControlTest {
    private static final String URL_OF_KEYS = "https://kubernetes.default.svc/openid/v1/jwks";
    private static final Instant BEGIN = Instant.parse("2001-02-03T04:05:06Z");

    /** What the API server does with a request. */
    private interface Answer {
        String keys() throws IOException;
    }

    private final TestTokens old = new TestTokens("key-1");
    private final TestTokens next = new TestTokens("key-2");
    private final Guard guard = new Guard();
    private final Refusals refusals = new Refusals();
    private final BlockingQueue<Answer> answers = new SynchronousQueue<>();
    private final BlockingQueue<String> begun = new LinkedBlockingQueue<>();
    private FetchedKeys keys;
    private AccessControl accessControl;

    @BeforeEach
    void fetchTheFirstKeys() throws Exception {
        URL url = URI.create(URL_OF_KEYS).toURL();
        keys = new FetchedKeys(
                url, _ -> new Resource(awaitAnswer().keys(), "application/json"), guard, Duration.ofMillis(1));
        InstantSource clock = InstantSource.fixed(BEGIN);
        accessControl = new AccessControl(
                TestTokens.accessConfig(URL_OF_KEYS),
                refusals,
                clock,
                guard,
                new TokenVerifier(TestTokens.config(URL_OF_KEYS), keys, clock));
        // The call is there before the keys: one that comes while they arrive has them fetched once more.
        TestCall<?, ?> first = publish(old, "worker-0");
        answer(() -> TestTokens.jwks(old));
        awaitBegun(first, "worker-0");
    }

    @AfterEach
    void close() {
        accessControl.close();
    }

    private Answer awaitAnswer() throws IOException {
        try {
            return answers.take();
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    /** Waits until the API server is asked, and answers. */
    private void answer(Answer answer) throws InterruptedException {
        assertThat(answers.offer(answer, 60, TimeUnit.SECONDS))
                .as("the keys are fetched")
                .isTrue();
    }

    private TestCall<PublishEventsRequest, PublishEventsResponse> publish(TestTokens signer, String node) {
        return publish(signer, node, new ServerCall.Listener<>() {});
    }

    private TestCall<PublishEventsRequest, PublishEventsResponse> publish(
            TestTokens signer, String node, ServerCall.Listener<PublishEventsRequest> listener) {
        TestCall<PublishEventsRequest, PublishEventsResponse> call =
                new TestCall<>(EventIngestGrpc.getPublishEventsMethod());
        begin(call, signer, node, (_, _) -> {
            begun.add(String.join(",", Caller.current().nodes()));
            return listener;
        });
        return call;
    }

    private ServerCall.Listener<PublishEventsRequest> begin(
            TestCall<PublishEventsRequest, PublishEventsResponse> call,
            TestTokens signer,
            String node,
            ServerCallHandler<PublishEventsRequest, PublishEventsResponse> handler) {
        Metadata headers = TestTokens.headers(signer.token(node, BEGIN, BEGIN.plusSeconds(3600)));
        return accessControl.interceptCall(call, headers, handler);
    }

    private void awaitBegun(TestCall<?, ?> call, String node) throws InterruptedException {
        assertThat(begun.poll(60, TimeUnit.SECONDS))
                .as("how it was closed: %s", call.closed())
                .isEqualTo(node);
    }

    @Test
    void aTokenWhoseKeyMustBeFetchedWaitsAndHoldsUpNoThreadAndNoOtherCall() throws Exception {
        TestCall<?, ?> waiting = publish(next, "worker-1");

        // The fetch goes on all the while: nobody has answered it.
        TestCall<?, ?> other = publish(old, "worker-2");
        awaitBegun(other, "worker-2");
        assertThat(begun).isEmpty();
        assertThat(waiting.closed()).isNull();

        answer(() -> TestTokens.jwks(old, next));
        awaitBegun(waiting, "worker-1");
    }

    /** gRPC takes a message's bytes back when onMessage returns: one that comes while the call begins cannot be kept. */
    @Test
    void aMessageThatComesWhileItsCallBeginsIsHandledBeforeItIsTakenBack() throws Exception {
        List<String> order = new CopyOnWriteArrayList<>();
        CompletableFuture<ServerCall.Listener<PublishEventsRequest>> held = new CompletableFuture<>();
        CompletableFuture<Thread> grpc = new CompletableFuture<>();
        held.complete(begin(new TestCall<>(EventIngestGrpc.getPublishEventsMethod()), next, "worker-1", (_, _) -> {
            grpc.complete(Thread.ofPlatform().start(() -> {
                held.join().onMessage(PublishEventsRequest.getDefaultInstance());
                order.add("taken back");
            }));
            awaitBlockedOrEnded(grpc.join());
            return new ServerCall.Listener<>() {
                @Override
                public void onMessage(PublishEventsRequest message) {
                    order.add("handled");
                }
            };
        }));

        answer(() -> TestTokens.jwks(old, next));

        assertThat(grpc.get(60, TimeUnit.SECONDS).join(Duration.ofSeconds(60))).isTrue();
        assertThat(order).containsExactly("handled", "taken back");
    }

    private static void awaitBlockedOrEnded(Thread thread) {
        Set<Thread.State> states = Set.of(Thread.State.BLOCKED, Thread.State.TERMINATED);
        while (!states.contains(thread.getState())) {
            Thread.onSpinWait();
        }
    }

    @Test
    void manyTokensWithUnknownKeysWaitForOneFetch() throws Exception {
        for (int i = 0; i < 100; i++) {
            publish(next, "worker-" + i);
        }

        answer(() -> TestTokens.jwks(old, next));

        Set<String> nodes = new HashSet<>();
        for (int i = 0; i < 100; i++) {
            nodes.add(begun.poll(60, TimeUnit.SECONDS));
        }
        assertThat(nodes).hasSize(100).doesNotContainNull();
    }

    @Test
    void aTokenWithAKeyThatTheClusterDoesNotHaveIsRefused() throws Exception {
        TestCall<?, ?> forged = publish(next, "worker-1");

        answer(() -> TestTokens.jwks(old));

        assertThat(forged.awaitClosed().getCode()).isEqualTo(Status.Code.UNAUTHENTICATED);
        assertThat(forged.closed().getDescription())
                .startsWith("the token is not taken: ")
                .contains("no matching key");
        assertThat(refusals.count(Refusals.Reason.UNAUTHENTICATED)).isEqualTo(1);
    }

    @Test
    void keysThatCannotBeFetchedAnyMoreStayInUseAndATokenWithANewOneIsToldToComeAgain() throws Exception {
        TestCall<?, ?> waiting = publish(next, "worker-1");

        answer(() -> {
            throw new IOException("connection refused");
        });

        assertThat(waiting.awaitClosed().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
        assertThat(waiting.closed().getDescription())
                .isEqualTo("the aggregator cannot have the keys that check tokens: connection refused");
        awaitBegun(publish(old, "worker-2"), "worker-2");
        TestCall<?, ?> again = publish(next, "worker-1");
        answer(() -> TestTokens.jwks(next));
        awaitBegun(again, "worker-1");
    }

    @Test
    void aFetchThatFailsAsNobodyExpectedIsCountedAndTheNextOneIsMade() throws Exception {
        TestCall<?, ?> waiting = publish(next, "worker-1");

        answer(() -> {
            throw new LinkageError("nobody expected this");
        });

        assertThat(waiting.awaitClosed().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
        assertThat(guard.counts()).isEqualTo(Map.of("keys", 1L));
        TestCall<?, ?> again = publish(next, "worker-1");
        answer(() -> TestTokens.jwks(next));
        awaitBegun(again, "worker-1");
    }

    @Test
    void aFetchThatFailsWithoutAWordIsAFailureLikeAnother() throws Exception {
        TestCall<?, ?> waiting = publish(next, "worker-1");

        answer(() -> {
            throw new EOFException();
        });

        assertThat(waiting.awaitClosed().getDescription()).endsWith("java.io.EOFException");
    }

    @Test
    void aWaitingCallThatCannotBeginEndsAsInternalAndHarmsNoOtherThatWaits() throws Exception {
        TestCall<PublishEventsRequest, PublishEventsResponse> failing =
                new TestCall<>(EventIngestGrpc.getPublishEventsMethod());
        begin(failing, next, "worker-1", (_, _) -> {
            throw new LinkageError("nobody expected this");
        });
        TestCall<?, ?> other = publish(next, "worker-2");

        answer(() -> TestTokens.jwks(next));

        awaitBegun(other, "worker-2");
        assertThat(failing.awaitClosed()).isEqualTo(GuardedCalls.FAILURE);
        assertThat(guard.counts()).isEqualTo(Map.of("ingest", 1L));
    }

    @Test
    void aClientThatGoesWhileItsCallWaitsIsSaidToHaveGoneOnceTheCallBegins() throws Exception {
        BlockingQueue<String> events = new LinkedBlockingQueue<>();
        TestCall<PublishEventsRequest, PublishEventsResponse> call =
                new TestCall<>(EventIngestGrpc.getPublishEventsMethod());
        ServerCall.Listener<PublishEventsRequest> held = begin(call, next, "worker-1", (_, _) -> {
            events.add("begun");
            return new ServerCall.Listener<>() {
                @Override
                public void onCancel() {
                    events.add("cancelled");
                }
            };
        });

        held.onCancel();
        answer(() -> TestTokens.jwks(next));

        assertThat(events.poll(60, TimeUnit.SECONDS)).isEqualTo("begun");
        assertThat(events.poll(60, TimeUnit.SECONDS)).isEqualTo("cancelled");
    }

    @Test
    void aStopAnswersWhatWaitsForKeys() throws Exception {
        TestCall<?, ?> waiting = publish(next, "worker-1");

        accessControl.close();

        assertThat(waiting.awaitClosed().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
        assertThat(waiting.closed().getDescription()).endsWith("the aggregator is stopping");
        assertThat(publish(next, "worker-2").closed().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
    }
}
