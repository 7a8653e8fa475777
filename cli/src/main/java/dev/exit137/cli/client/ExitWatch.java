package dev.exit137.cli.client;

import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.WatchExitsRequest;
import dev.exit137.proto.v1.WatchExitsResponse;

/**
 * A watch of ends of containers and services.
 *
 * @param request filter and start; heartbeats at their default interval
 */
public record ExitWatch(WatchExitsRequest request) implements Watch<ExitEvent> {
    @Override
    public Open<ExitEvent> open(AggregatorClient client) {
        return Watch.open(client.exitStreams().watchExits(request), ExitWatch::received);
    }

    private static Received<ExitEvent> received(WatchExitsResponse response) {
        return response.hasExit()
                ? new Received<>(response.getExit(), response.getExit().getObservedTime(), response.getResumeToken())
                : new Received<>(null, response.getHeartbeat().getTime(), response.getResumeToken());
    }

    @Override
    public Watch<ExitEvent> after(String token) {
        return new ExitWatch(request.toBuilder().setResumeToken(token).build());
    }

    @Override
    public Watch<ExitEvent> from(Timestamp time) {
        return new ExitWatch(request.toBuilder().setFromTime(time).build());
    }

    @Override
    public String resumeToken() {
        return request.getResumeToken();
    }
}
