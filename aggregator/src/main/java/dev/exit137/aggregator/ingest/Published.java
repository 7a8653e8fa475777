package dev.exit137.aggregator.ingest;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.WireFormat;
import dev.exit137.proto.v1.PublishEventsRequest;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Arrays;

/**
 * An agent's message and its original bytes. An event is stored as these bytes, because serializing it again would cost
 * as much as parsing it.
 */
record Published(PublishEventsRequest message, byte[] bytes) {
    /** The message. */
    static Published of(PublishEventsRequest message) {
        return new Published(message, message.toByteArray());
    }

    /** The original bytes of its event, of whichever kind. */
    byte[] eventBytes() {
        int tag = message.getMessageCase().getNumber() << 3 | WireFormat.WIRETYPE_LENGTH_DELIMITED;
        CodedInputStream in = CodedInputStream.newInstance(bytes);
        try {
            if (in.readTag() == tag && in.readRawVarint32() == bytes.length - in.getTotalBytesRead()) {
                return Arrays.copyOfRange(bytes, in.getTotalBytesRead(), bytes.length);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("these bytes were parsed before", e);
        }
        // The field occurs twice, or beside a field of a later version: no agent sends that today.
        return (message.hasExit() ? message.getExit() : message.getEvent()).toByteArray();
    }

    /** Parses the messages, for gRPC. */
    static final class Marshaller implements MethodDescriptor.Marshaller<Published> {
        @Override
        public InputStream stream(Published published) {
            throw new UnsupportedOperationException("the aggregator publishes nothing");
        }

        @Override
        public Published parse(InputStream stream) {
            try {
                byte[] bytes = stream.readAllBytes();
                return new Published(PublishEventsRequest.parseFrom(bytes), bytes);
            } catch (InvalidProtocolBufferException e) {
                throw Status.INTERNAL
                        .withDescription("the bytes are no message")
                        .withCause(e)
                        .asRuntimeException();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
