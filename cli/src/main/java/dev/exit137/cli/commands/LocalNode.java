package dev.exit137.cli.commands;

import com.google.protobuf.MessageOrBuilder;
import dev.exit137.agent.Agent;
import dev.exit137.agent.AgentConfig;
import dev.exit137.agent.delivery.EventSink;
import dev.exit137.aggregator.Aggregator;
import dev.exit137.aggregator.AggregatorConfig;
import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.client.EventStream;
import dev.exit137.cli.client.ExitWatch;
import dev.exit137.cli.client.HostPort;
import dev.exit137.cli.client.KillWatch;
import dev.exit137.cli.options.EventKinds;
import dev.exit137.cli.options.EventKinds.Kind;
import dev.exit137.cli.terminal.Failure;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.http.Observed;
import dev.exit137.daemon.tls.ClientSecurity;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.WatchEventsRequest;
import dev.exit137.proto.v1.WatchExitsRequest;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * An agent, an aggregator and a consumer of the aggregator's stream in this process. Events take their whole way, over
 * the loopback. The stream is open before the agent starts, so it carries every event of the agent.
 */
public final class LocalNode implements AutoCloseable {
    private static final Set<String> WILDCARD_ADDRESSES = Set.of("0.0.0.0", "::", "*");
    private static final Duration FIRST_BACKOFF = Duration.ofMillis(200);

    private final AggregatorClient client;
    private final EventStream<OomKillEvent> kills;
    private final EventStream<ExitEvent> exits;
    private final List<EventStream<? extends MessageOrBuilder>> open = new ArrayList<>();
    private final HostPort address;
    private @Nullable Agent agent;
    /** For probes and metrics. */
    final Aggregator aggregator;

    private LocalNode(Terminal terminal, AggregatorConfig config, Guard guard) throws IOException {
        aggregator = Aggregator.start(config, terminal.clock(), guard);
        String host = WILDCARD_ADDRESSES.contains(config.listenHost()) ? "127.0.0.1" : config.listenHost();
        address = new HostPort(host, aggregator.port());
        client = new AggregatorClient(address, ClientSecurity.PLAINTEXT);
        kills = new EventStream<>(
                client, terminal, new KillWatch(WatchEventsRequest.getDefaultInstance()), FIRST_BACKOFF);
        exits = new EventStream<>(
                client, terminal, new ExitWatch(WatchExitsRequest.getDefaultInstance()), FIRST_BACKOFF);
    }

    private void connect(EventStream<? extends MessageOrBuilder> stream) throws Failure, InterruptedException {
        stream.connect();
        open.add(stream);
    }

    /**
     * Starts all three.
     *
     * @param agentConfig the agent's settings; its aggregator is replaced by the one here
     * @param events gets each event of the agent; the caller closes it
     * @param guard the guard of this process
     * @param kinds whose streams are opened
     * @throws IOException one of them cannot start
     * @throws Failure the stream cannot be opened
     */
    public static LocalNode start(
            Terminal terminal,
            AggregatorConfig aggregatorConfig,
            AgentConfig agentConfig,
            EventSink events,
            Guard guard,
            EventKinds kinds)
            throws IOException, Failure, InterruptedException {
        LocalNode node = new LocalNode(terminal, aggregatorConfig, guard);
        try {
            if (kinds.has(Kind.OOM)) {
                node.connect(node.kills);
            }
            if (kinds.has(Kind.EXIT)) {
                node.connect(node.exits);
            }
            node.agent = Agent.start(agentConfig.sendingTo(node.address.toString()), events, terminal.clock(), guard);
            return node;
        } catch (Throwable e) {
            node.close();
            throw e;
        }
    }

    /** The aggregator's stream of OOM kills. */
    public EventStream<OomKillEvent> kills() {
        return kills;
    }

    /** The streams that are open. */
    List<EventStream<? extends MessageOrBuilder>> streams() {
        return List.copyOf(open);
    }

    /** The agent, for probes and metrics. */
    Observed agent() {
        return Objects.requireNonNull(agent);
    }

    /** The address of the aggregator on this machine. */
    public HostPort address() {
        return address;
    }

    /** Closes the producers before the consumers. */
    @Override
    public void close() {
        if (agent != null) {
            agent.close();
        }
        kills.close();
        exits.close();
        client.close();
        aggregator.close();
    }
}
