package dev.exit137.aggregator;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.exit137.proto.v1.EventIngestGrpc;
import dev.exit137.proto.v1.ListEventsResponse;
import dev.exit137.proto.v1.OomEventsGrpc;
import dev.exit137.proto.v1.PublishEventsResponse;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever comes over the wire, it has its status, and the next agent is served. */
class HostileInputTest {
    // event { event_id: ... }, by the numbers of ingest.proto and event.proto.
    private static final int EVENT = 2 << 3 | 2;
    private static final int EVENT_ID = 1 << 3 | 2;

    private static final MethodDescriptor<byte[], ListEventsResponse> LIST =
            OomEventsGrpc.getListEventsMethod().toBuilder(
                            new Raw(), OomEventsGrpc.getListEventsMethod().getResponseMarshaller())
                    .build();
    // page_token
    private static final byte[] NO_UTF8 = {3 << 3 | 2, 2, (byte) 0xc3, (byte) 0x28};

    @TempDir
    private Path dataDir;

    private Fixture fixture;

    @BeforeEach
    void start() throws IOException {
        fixture = new Fixture(dataDir);
    }

    @AfterEach
    void othersAreStillServed() {
        fixture.publish(Fixture.event(1));
        fixture.close();
    }

    @Test
    void textThatIsNoUtf8IsAnInvalidArgument() {
        byte[] message = {EVENT, 4, EVENT_ID, 2, (byte) 0xc3, (byte) 0x28};
        assertThat(send(message).getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
    }

    @Test
    void bytesThatAreNoMessageAreAnInvalidArgument() {
        assertThat(send("GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII))
                        .getCode())
                .isEqualTo(Status.Code.INVALID_ARGUMENT);
        // A length beyond the end.
        assertThat(send(new byte[] {EVENT, 0x7f}).getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
    }

    @Test
    void aMessageBeyondTheLimitExhaustsIt() {
        assertThat(send(new byte[5 << 20]).getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
    }

    @Test
    void messagesWithinMessagesWithoutEndAreAnInvalidArgument() {
        // Groups, as deep as it goes: field 1000, wire type 3, opened and never closed.
        byte[] message = new byte[100_000];
        for (int i = 0; i < message.length; i += 2) {
            message[i] = (byte) 0xc3;
            message[i + 1] = 0x3e;
        }
        assertThat(send(message).getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
    }

    @Test
    void aRequestOfAReaderThatIsNoUtf8IsAnInvalidArgumentToo() {
        Status status = Fixture.failureOf(() -> ClientCalls.blockingUnaryCall(
                fixture.newChannel(), LIST, CallOptions.DEFAULT.withDeadlineAfter(2, TimeUnit.MINUTES), NO_UTF8));

        assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(status.getDescription())
                .startsWith("the request is no message: ")
                .contains("UTF-8");
    }

    @Test
    void asManyRequestsInOneCallAsOneLikesAreNoDefectOfTheAggregators() throws Exception {
        CompletableFuture<Status> end = new CompletableFuture<>();
        ClientCall<byte[], ListEventsResponse> call =
                fixture.newChannel().newCall(LIST, CallOptions.DEFAULT.withDeadlineAfter(2, TimeUnit.MINUTES));
        call.start(
                new ClientCall.Listener<>() {
                    @Override
                    public void onClose(Status status, Metadata trailers) {
                        end.complete(status);
                    }
                },
                new Metadata());
        call.request(1);
        call.sendMessage(NO_UTF8);
        call.sendMessage(NO_UTF8);
        call.halfClose();

        assertThat(end.get(3, TimeUnit.MINUTES).getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        // Whatever it does, it has done it then.
        fixture.close();
        assertThat(fixture.guard().counts()).isEmpty();
        fixture = new Fixture(dataDir);
    }

    /** Sends these bytes as one message, and returns how the stream ended. */
    private Status send(byte[] message) {
        ManagedChannel channel = fixture.newChannel();
        MethodDescriptor<byte[], PublishEventsResponse> method = EventIngestGrpc.getPublishEventsMethod().toBuilder(
                        new Raw(), EventIngestGrpc.getPublishEventsMethod().getResponseMarshaller())
                .build();
        CompletableFuture<Status> end = new CompletableFuture<>();
        StreamObserver<byte[]> requests = ClientCalls.asyncBidiStreamingCall(
                channel.newCall(method, CallOptions.DEFAULT.withDeadlineAfter(2, TimeUnit.MINUTES)),
                new StreamObserver<>() {
                    @Override
                    public void onNext(PublishEventsResponse response) {}

                    @Override
                    public void onError(Throwable failure) {
                        end.complete(Status.fromThrowable(failure));
                    }

                    @Override
                    public void onCompleted() {
                        end.complete(Status.OK);
                    }
                });
        requests.onNext(message);
        return end.join();
    }

    private static final class Raw implements MethodDescriptor.Marshaller<byte[]> {
        @Override
        public InputStream stream(byte[] value) {
            return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
            try {
                return ByteString.readFrom(stream).toByteArray();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
