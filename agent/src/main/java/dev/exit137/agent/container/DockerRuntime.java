package dev.exit137.agent.container;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import com.google.gson.annotations.SerializedName;
import dev.exit137.proto.v1.Container;
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
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Docker Engine through its API, with one connection per request. Bytes move on the agent-docker thread. */
final class DockerRuntime implements ContainerRuntime {
    private static final int MAX_BODY_BYTES = 16 << 20;
    private static final int MAX_EVENT_BYTES = 64 << 10;
    private static final String COMPOSE_LABELS = "com.docker.compose.";
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
            @SerializedName("Config") @Nullable Config config,
            @SerializedName("State") @Nullable State state) {}

    /** The container's configuration at its creation. */
    record Config(
            @SerializedName("Image") @Nullable String image,
            @SerializedName("Labels") @Nullable Map<String, String> labels) {}

    /** The container's present life, or its last one. */
    record State(
            @SerializedName("Status") @Nullable String status,
            @SerializedName("Pid") int pid,
            @SerializedName("StartedAt") @Nullable String startedAt) {}

    /** Line of {@code GET /events}: {@code {"Type":"container","Action":"start","Actor":{"ID":"4f0c…"}}}. */
    record Event(@SerializedName("Actor") @Nullable Actor actor) {}

    /** The object of an event. */
    record Actor(@SerializedName("ID") @Nullable String id) {}

    private final DomainSocketAddress address;
    private final Duration deadline;
    private final Executor thread;
    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(
            1, new DefaultThreadFactory("agent-docker", true), EpollIoHandler.newFactory());

    /**
     * @param thread runs every callback
     * @param deadline for each request
     */
    DockerRuntime(Path socket, Duration deadline, Executor thread) {
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
    public CompletableFuture<Void> watch(Consumer<String> started) {
        QueryStringEncoder path = new QueryStringEncoder("/events");
        path.addParam("filters", "{\"type\":[\"container\"],\"event\":[\"start\"]}");
        CompletableFuture<Void> ended = new CompletableFuture<>();
        ChannelHandler lines = new SimpleChannelInboundHandler<ByteBuf>() {
            @Override
            protected void channelRead0(ChannelHandlerContext context, ByteBuf line) {
                Event event = parse(line.toString(StandardCharsets.UTF_8), Event.class);
                String id = event.actor() == null ? null : event.actor().id();
                if (id != null) {
                    thread.execute(() -> started.accept(id));
                }
            }

            @Override
            public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
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
