package dev.exit137.agent.container;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import com.google.gson.annotations.SerializedName;
import dev.exit137.agent.exit.ContainerEnd;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.ExitSettings;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.handler.codec.LineBasedFrameDecoder;
import io.netty.handler.codec.MessageToMessageDecoder;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.QueryStringEncoder;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Docker Engine through its API, with one connection per request. Bytes move on the agent-docker thread. */
final class DockerRuntime implements ContainerRuntime {
    private static final int MAX_BODY_BYTES = 16 << 20;
    private static final int MAX_EVENT_BYTES = 64 << 10;
    private static final String COMPOSE_LABELS = "com.docker.compose.";
    /** 2^64-1, as ExitSettings has it. */
    private static final long UNLIMITED = -1;

    private static final int DEFAULT_STOP_TIMEOUT_SECONDS = 10;
    private static final Gson GSON = new Gson();

    /** Answer of {@code GET /containers/json}; other fields are skipped. */
    record Listed(
            @SerializedName("Id") @Nullable String id,
            @SerializedName("Names") @Nullable List<String> names,
            @SerializedName("Image") @Nullable String image,
            @SerializedName("Labels") @Nullable Map<String, String> labels,
            @SerializedName("State") @Nullable String state) {}

    /** Answer of {@code GET /containers/<id>/json}. */
    record Inspected(
            @SerializedName("Id") @Nullable String id,
            @SerializedName("Name") @Nullable String name,
            @SerializedName("Created") @Nullable String created,
            @SerializedName("Path") @Nullable String path,
            @SerializedName("Config") @Nullable Config config,
            @SerializedName("HostConfig") @Nullable HostConfig hostConfig,
            @SerializedName("State") @Nullable State state) {}

    /** The container's configuration at its creation. */
    record Config(
            @SerializedName("Image") @Nullable String image,
            @SerializedName("Labels") @Nullable Map<String, String> labels,
            @SerializedName("StopTimeout") @Nullable Integer stopTimeoutSeconds) {}

    /** The container's settings on this host. */
    record HostConfig(
            @SerializedName("Memory") long memoryBytes,
            @SerializedName("MemorySwap") long memorySwapBytes,
            @SerializedName("RestartPolicy") @Nullable RestartPolicy restartPolicy,
            @SerializedName("OomKillDisable") @Nullable Boolean oomKillDisable,
            @SerializedName("OomScoreAdj") int oomScoreAdj,
            @SerializedName("Init") @Nullable Boolean init) {}

    /** {@code no}, {@code always}, {@code unless-stopped} or {@code on-failure}, with the most retries; 0 for no limit. */
    record RestartPolicy(
            @SerializedName("Name") @Nullable String name,
            @SerializedName("MaximumRetryCount") int maximumRetryCount) {}

    /** The container's present life, or its last one; the last end stays while a new life runs. */
    record State(
            @SerializedName("Status") @Nullable String status,
            @SerializedName("Pid") int pid,
            @SerializedName("ExitCode") int exitCode,
            @SerializedName("OOMKilled") boolean oomKilled,
            @SerializedName("Error") @Nullable String error,
            @SerializedName("StartedAt") @Nullable String startedAt,
            @SerializedName("FinishedAt") @Nullable String finishedAt) {}

    private final Plausible plausible;
    private final DockerEvents events;
    private final Instant eventsSince;
    private final DomainSocketAddress address;
    private final Duration deadline;
    private final Executor thread;
    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(
            1, new DefaultThreadFactory("agent-docker", true), EpollIoHandler.newFactory());

    /**
     * @param eventsSince earlier events than this are not asked for
     * @param plausible tells the times that can be
     * @param thread runs every callback
     * @param deadline for each request
     */
    DockerRuntime(Path socket, Instant eventsSince, Plausible plausible, Duration deadline, Executor thread) {
        this.eventsSince = eventsSince;
        this.plausible = plausible;
        events = new DockerEvents(plausible);
        this.address = new DomainSocketAddress(socket.toFile());
        this.deadline = deadline;
        this.thread = thread;
    }

    @Override
    public CompletableFuture<List<Identity>> list() {
        return get("/containers/json?all=1")
                .thenApplyAsync(
                        body -> Stream.of(parse(body.orElse("[]"), Listed[].class))
                                .map(DockerRuntime::identity)
                                .toList(),
                        thread);
    }

    @Override
    public CompletableFuture<Optional<Identity>> ask(String id) {
        return get("/containers/" + id + "/json")
                .thenApplyAsync(body -> body.map(json -> identity(parse(json, Inspected.class))), thread);
    }

    private static <T> T parse(String json, Class<T> type) {
        try {
            T parsed = GSON.fromJson(json, type);
            if (parsed != null) {
                return parsed;
            }
        } catch (JsonParseException e) {
            // The exception below reports it.
        }
        throw new CompletionException(new RuntimeFailure("its answer is not of the Docker Engine API"));
    }

    private static Identity identity(Listed listed) {
        String name = listed.names() == null || listed.names().isEmpty()
                ? ""
                : listed.names().getFirst();
        return new Identity(
                container(listed.id(), name, listed.image()),
                composeLabels(listed.labels()),
                isAlive(listed.state()),
                null,
                null);
    }

    private static Identity identity(Inspected inspected) {
        Config config = inspected.config();
        State state = inspected.state();
        return new Identity(
                container(inspected.id(), inspected.name(), config == null ? "" : config.image()),
                composeLabels(config == null ? null : config.labels()),
                state != null && isAlive(state.status()),
                state == null || state.pid() <= 0 ? null : state.pid(),
                // An unknown start counts as later than any kill: then only the main process itself is known to have
                // been the
                // first.
                state == null ? Instant.MAX : time(state.startedAt()));
    }

    private static Container container(@Nullable String id, @Nullable String name, @Nullable String image) {
        return Container.newBuilder()
                .setRuntime("docker")
                .setId(orEmpty(id))
                .setName(orEmpty(name).replaceFirst("^/", ""))
                .setImage(orEmpty(image))
                .build();
    }

    private static String orEmpty(@Nullable String value) {
        return value == null ? "" : value;
    }

    private static Map<String, String> composeLabels(@Nullable Map<String, String> labels) {
        Map<String, String> compose = new TreeMap<>();
        if (labels != null) {
            labels.forEach((name, value) -> {
                if (name.startsWith(COMPOSE_LABELS) && value != null) {
                    compose.put(name, value);
                }
            });
        }
        return compose;
    }

    private static boolean isAlive(@Nullable String status) {
        return !"exited".equals(status) && !"dead".equals(status) && !"removing".equals(status);
    }

    private static Instant time(@Nullable String rfc3339) {
        try {
            return rfc3339 == null ? Instant.MAX : Instant.parse(rfc3339);
        } catch (DateTimeException e) {
            return Instant.MAX;
        }
    }

    @Override
    public CompletableFuture<Optional<ContainerEnd>> askEnd(String id) {
        return get("/containers/" + id + "/json")
                .thenComposeAsync(
                        body -> {
                            Optional<ContainerEnd> end = body.flatMap(json -> end(parse(json, Inspected.class)));
                            String nonsense = end.map(this::nonsense).orElse("");
                            return nonsense.isEmpty()
                                    ? CompletableFuture.completedFuture(end)
                                    : CompletableFuture.failedFuture(
                                            new RuntimeFailure("container " + id + ": " + nonsense));
                        },
                        thread);
    }

    /** Returns what is said of an end and cannot be; empty if it can. */
    private String nonsense(ContainerEnd end) {
        if (!plausible.isTime(end.endedAt())) {
            return "it ended at " + end.endedAt();
        }
        return end.exitCode() == null || Plausible.isCode(end.exitCode()) ? "" : "its exit code is " + end.exitCode();
    }

    /** Returns the last end; empty if there was none. A container that failed to start has never ended, but is as one. */
    private static Optional<ContainerEnd> end(Inspected inspected) {
        State state = inspected.state();
        if (state == null) {
            return Optional.empty();
        }
        Instant started = known(state.startedAt());
        Instant finished = known(state.finishedAt());
        boolean neverStarted = started == null
                && state.exitCode() != 0
                && !orEmpty(state.error()).isEmpty();
        Instant ended = neverStarted && finished == null ? known(inspected.created()) : finished;
        if (ended == null) {
            return Optional.empty();
        }
        boolean lives = state.pid() > 0;
        Config config = inspected.config();
        return Optional.of(new ContainerEnd(
                Evidence.DOCKER,
                container(inspected.id(), inspected.name(), config == null ? "" : config.image()),
                ended,
                ended,
                lives ? null : started,
                lives ? null : state.exitCode(),
                null,
                !lives && state.oomKilled(),
                settings(inspected)));
    }

    private static ExitSettings settings(Inspected inspected) {
        ExitSettings.Builder settings = ExitSettings.newBuilder();
        HostConfig host = inspected.hostConfig();
        if (host != null) {
            settings.setMemoryLimitBytes(host.memoryBytes() <= 0 ? UNLIMITED : host.memoryBytes())
                    .setOomKillDisabled(Boolean.TRUE.equals(host.oomKillDisable()))
                    .setOomScoreAdj(host.oomScoreAdj())
                    .setRestartPolicy(words(host.restartPolicy()));
            if (host.memorySwapBytes() != 0 || host.memoryBytes() <= 0) {
                settings.setMemorySwapLimitBytes(host.memorySwapBytes() <= 0 ? UNLIMITED : host.memorySwapBytes());
            }
        }
        Config config = inspected.config();
        if (config != null) {
            Integer seconds = config.stopTimeoutSeconds();
            settings.setStopGrace(com.google.protobuf.Duration.newBuilder()
                    .setSeconds(seconds == null ? DEFAULT_STOP_TIMEOUT_SECONDS : seconds));
        }
        String path = orEmpty(inspected.path());
        return settings.setInitProgram(
                        host != null && Boolean.TRUE.equals(host.init())
                                ? "docker-init"
                                : path.substring(path.lastIndexOf('/') + 1))
                .build();
    }

    private static String words(@Nullable RestartPolicy policy) {
        if (policy == null || orEmpty(policy.name()).isEmpty()) {
            return "no";
        }
        return policy.maximumRetryCount() > 0
                ? policy.name() + ":" + policy.maximumRetryCount()
                : orEmpty(policy.name());
    }

    /** Returns null for Docker's zero time, {@code 0001-01-01T00:00:00Z}, too. */
    private static @Nullable Instant known(@Nullable String rfc3339) {
        Instant time = time(rfc3339);
        return time.equals(Instant.MAX) || time.isBefore(Instant.EPOCH) ? null : time;
    }

    @Override
    public CompletableFuture<Void> watch(RuntimeWatcher watcher) {
        QueryStringEncoder path = new QueryStringEncoder("/events");
        path.addParam("filters", DockerEvents.FILTERS);
        Instant since = events.resumeAt(eventsSince);
        if (since.isBefore(Instant.MAX)) {
            path.addParam("since", since.getEpochSecond() + "." + String.format(Locale.ROOT, "%09d", since.getNano()));
        }
        CompletableFuture<Void> ended = new CompletableFuture<>();
        ChannelHandler lines = new SimpleChannelInboundHandler<ByteBuf>() {
            @Override
            protected void channelRead0(ChannelHandlerContext context, ByteBuf line) {
                String text = line.toString(StandardCharsets.UTF_8);
                thread.execute(() -> events.read(text, watcher));
            }

            @Override
            public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
                thread.execute(() -> watcher.onNonsense("its events: " + cause.getMessage()));
                context.close();
            }
        };
        send(path.toString(), new HttpClientCodec(), new Body(), new LineBasedFrameDecoder(MAX_EVENT_BYTES), lines)
                .thenAccept(channel -> channel.closeFuture().addListener(closed -> ended.complete(null)))
                .exceptionally(failure -> {
                    ended.complete(null);
                    return null;
                });
        return ended.thenApplyAsync(nothing -> null, thread);
    }

    /** Turns the chunks of a response into its bytes. */
    private static final class Body extends MessageToMessageDecoder<HttpContent> {
        @Override
        protected void decode(ChannelHandlerContext context, HttpContent chunk, List<Object> out) {
            out.add(chunk.content().retain());
        }
    }

    /** Returns the body; empty for 404. */
    private CompletableFuture<Optional<String>> get(String path) {
        CompletableFuture<Optional<String>> answer = new CompletableFuture<>();
        ChannelHandler response = new SimpleChannelInboundHandler<FullHttpResponse>() {
            @Override
            protected void channelRead0(ChannelHandlerContext context, FullHttpResponse response) {
                int code = response.status().code();
                if (code == 200) {
                    answer.complete(Optional.of(response.content().toString(StandardCharsets.UTF_8)));
                } else if (code == 404) {
                    answer.complete(Optional.empty());
                } else {
                    answer.completeExceptionally(new RuntimeFailure("it answers " + response.status()));
                }
                context.close();
            }

            @Override
            public void channelInactive(ChannelHandlerContext context) {
                answer.completeExceptionally(RuntimeFailure.outage("it ended the connection without an answer"));
            }

            @Override
            public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
                answer.completeExceptionally(RuntimeFailure.outage(String.valueOf(cause.getMessage())));
                context.close();
            }
        };
        send(path, new HttpClientCodec(), new HttpObjectAggregator(MAX_BODY_BYTES), response)
                .whenComplete((channel, failure) -> {
                    if (failure != null) {
                        answer.completeExceptionally(RuntimeFailure.outage(String.valueOf(failure.getMessage())));
                        return;
                    }
                    Future<?> late = channel.eventLoop()
                            .schedule(
                                    () -> {
                                        answer.completeExceptionally(
                                                RuntimeFailure.outage("it does not answer in time"));
                                        channel.close();
                                    },
                                    deadline.toMillis(),
                                    TimeUnit.MILLISECONDS);
                    channel.closeFuture().addListener(closed -> late.cancel(false));
                });
        return answer;
    }

    private CompletableFuture<Channel> send(String path, ChannelHandler... handlers) {
        HttpRequest request = new DefaultFullHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.GET, path);
        request.headers().set(HttpHeaderNames.HOST, "docker").set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
        CompletableFuture<Channel> sent = new CompletableFuture<>();
        new Bootstrap()
                .group(group)
                .channel(EpollDomainSocketChannel.class)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, (int) deadline.toMillis())
                .handler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        channel.pipeline().addLast(handlers);
                    }
                })
                .connect(address)
                .addListener((ChannelFuture connected) -> {
                    if (connected.isSuccess()) {
                        connected.channel().writeAndFlush(request);
                        sent.complete(connected.channel());
                    } else {
                        sent.completeExceptionally(connected.cause());
                    }
                });
        return sent;
    }

    @Override
    public void close() {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(1, TimeUnit.SECONDS);
    }
}
