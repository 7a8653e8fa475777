package dev.exit137.cli.client;

import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.WatchEventsRequest;
import dev.exit137.proto.v1.WatchEventsResponse;

/**
 * A watch of OOM kills.
 *
 * @param request filter and start; heartbeats at their default interval
 */
public record KillWatch(WatchEventsRequest request) implements Watch<OomKillEvent> {
    @Override
    public Open<OomKillEvent> open(AggregatorClient client) {
        return Watch.open(client.killStreams().watchEvents(request), KillWatch::received);
    }

    private static Received<OomKillEvent> received(WatchEventsResponse response) {
        return response.hasEvent()
                ? new Received<>(response.getEvent(), response.getEvent().getObservedTime(), response.getResumeToken())
                : new Received<>(null, response.getHeartbeat().getTime(), response.getResumeToken());
    }

    @Override
    public Watch<OomKillEvent> after(String token) {
        return new KillWatch(request.toBuilder().setResumeToken(token).build());
    }

    @Override
    public Watch<OomKillEvent> from(Timestamp time) {
        return new KillWatch(request.toBuilder().setFromTime(time).build());
    }

    @Override
    public String resumeToken() {
        return request.getResumeToken();
    }
}
