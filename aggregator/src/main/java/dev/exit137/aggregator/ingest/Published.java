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
 * A message of an agent, and the bytes in which it came. An event is stored in those: to put it together anew would cost
 * as much as to parse it.
 */
record Published(PublishEventsRequest message, byte[] bytes) {
  private static final int EVENT_TAG = PublishEventsRequest.EVENT_FIELD_NUMBER << 3 | WireFormat.WIRETYPE_LENGTH_DELIMITED;

  /** As agents send it. */
  static Published of(PublishEventsRequest message) {
    return new Published(message, message.toByteArray());
  }

  /** Its event as it came. */
  byte[] eventBytes() {
    CodedInputStream in = CodedInputStream.newInstance(bytes);
    try {
      if (in.readTag() == EVENT_TAG && in.readRawVarint32() == bytes.length - in.getTotalBytesRead()) {
        return Arrays.copyOfRange(bytes, in.getTotalBytesRead(), bytes.length);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("these bytes were parsed before", e);
    }
    // Twice, or beside something of a later version: no agent sends that today.
    return message.getEvent().toByteArray();
  }

  /** Reads them; for gRPC. */
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
        throw Status.INTERNAL.withDescription("the bytes are no message").withCause(e).asRuntimeException();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
