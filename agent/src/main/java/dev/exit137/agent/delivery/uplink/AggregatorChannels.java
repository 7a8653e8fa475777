package dev.exit137.agent.delivery.uplink;

import io.grpc.ManagedChannel;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** A channel to each aggregator, made for its first stream and used for all. One thread, except for {@link #close}. */
final class AggregatorChannels {
    private final Function<String, ManagedChannel> opener;
    private final Map<String, ManagedChannel> byAddress = new ConcurrentHashMap<>();
    private @Nullable ManagedChannel last;

    /** @param opener opens a channel to an address ({@code HOST:PORT}) */
    AggregatorChannels(Function<String, ManagedChannel> opener) {
        this.opener = opener;
    }

    /**
     * Returns the channel for the next stream, and gives up the connection of the last one. The new connection starts at
     * once, with a new look-up of the name. Otherwise gRPC would wait for a backoff of its own, and use an address that
     * it looked up in the last 30 s.
     *
     * @throws IllegalArgumentException if the address is not valid
     */
    ManagedChannel reconnect(String address) {
        if (last != null) {
            last.enterIdle();
        }
        ManagedChannel channel = byAddress.computeIfAbsent(address, opener);
        last = channel;
        return channel;
    }

    /** Gives up a channel: after an exception within it, gRPC fails every call on it ("panic mode"). */
    void discard(String address) {
        Optional.ofNullable(byAddress.remove(address)).ifPresent(ManagedChannel::shutdownNow);
    }

    /** Ends every call, and waits for that. Any thread. */
    void close(long seconds) throws InterruptedException {
        byAddress.values().forEach(ManagedChannel::shutdownNow);
        for (ManagedChannel channel : byAddress.values()) {
            channel.awaitTermination(seconds, TimeUnit.SECONDS);
        }
    }
}
