package dev.exit137.cli.client;

import dev.exit137.cli.terminal.Failure;
import dev.exit137.daemon.tls.ClientSecurity;
import dev.exit137.daemon.tls.Reasons;
import dev.exit137.proto.v1.ExitEventsGrpc;
import dev.exit137.proto.v1.ExitEventsGrpc.ExitEventsBlockingStub;
import dev.exit137.proto.v1.ExitEventsGrpc.ExitEventsBlockingV2Stub;
import dev.exit137.proto.v1.OomEventsGrpc;
import dev.exit137.proto.v1.OomEventsGrpc.OomEventsBlockingStub;
import dev.exit137.proto.v1.OomEventsGrpc.OomEventsBlockingV2Stub;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.nio.NioIoHandler;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioSocketChannel;
import io.grpc.netty.shaded.io.netty.util.concurrent.DefaultThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;

/** A connection to one aggregator, with one thread of its own. Safe for use by any thread. */
public final class AggregatorClient implements AutoCloseable {
    private static final int CALL_TIMEOUT_SECONDS = 30;
    private static final int CLOSE_TIMEOUT_SECONDS = 5;
    // A page of events with long task tables is larger than gRPC's default of 4 MiB.
    private static final int MAX_MESSAGE_BYTES = 64 << 20;

    private final HostPort server;
    private final ClientSecurity security;
    private final EventLoopGroup eventLoop;
    private final ManagedChannel channel;
    private final Outage outage = new Outage();

    /** Does not connect yet. */
    public AggregatorClient(HostPort server, ClientSecurity security) {
        this.server = server;
        this.security = security;
        eventLoop = new MultiThreadIoEventLoopGroup(
                1, new DefaultThreadFactory("exit137-client", true), NioIoHandler.newFactory());
        channel = security.channelTo(server.toString())
                .eventLoopGroup(eventLoop)
                .channelType(NioSocketChannel.class)
                .maxInboundMessageSize(MAX_MESSAGE_BYTES)
                .build();
    }

    /**
     * Makes one call about OOM kills that has one answer.
     *
     * @throws Failure the aggregator cannot be reached, or rejects the call
     */
    public <T> T ask(Function<OomEventsBlockingStub, T> call) throws Failure {
        return answer(() -> call.apply(
                OomEventsGrpc.newBlockingStub(channel).withDeadlineAfter(CALL_TIMEOUT_SECONDS, TimeUnit.SECONDS)));
    }

    /**
     * Makes one call about ends of containers and services. An older aggregator does not know them, and the failure then
     * has the status UNIMPLEMENTED.
     *
     * @throws Failure the aggregator cannot be reached, or rejects the call
     */
    public <T> T askExits(Function<ExitEventsBlockingStub, T> call) throws Failure {
        return answer(() -> call.apply(
                ExitEventsGrpc.newBlockingStub(channel).withDeadlineAfter(CALL_TIMEOUT_SECONDS, TimeUnit.SECONDS)));
    }

    private <T> T answer(Supplier<T> call) throws Failure {
        try {
            return call.get();
        } catch (StatusRuntimeException e) {
            throw failure(e.getStatus());
        }
    }

    /** Whether the aggregator, or the way to it, answered a call with this status. */
    public static boolean hasStatus(Failure failure, Status.Code code) {
        return failure.getCause() instanceof StatusException cause
                && cause.getStatus().getCode() == code;
    }

    /** The stub for streams. An attempt after a failure connects at once, without gRPC's wait of up to two minutes. */
    OomEventsBlockingV2Stub killStreams() {
        channel.resetConnectBackoff();
        return OomEventsGrpc.newBlockingV2Stub(channel);
    }

    /** The same for ends. */
    ExitEventsBlockingV2Stub exitStreams() {
        channel.resetConnectBackoff();
        return ExitEventsGrpc.newBlockingV2Stub(channel);
    }

    /** What the streams of this client have in common. */
    Outage outage() {
        return outage;
    }

    /** Makes the next call on a new connection, which uses the file's current certificate. */
    void leaveConnection() {
        channel.enterIdle();
    }

    /** One line for a person. */
    Failure failure(Status status) {
        StatusException cause = status.asException();
        String said = said(status);
        return switch (status.getCode()) {
            case UNAVAILABLE ->
                new Failure(
                        "cannot reach the aggregator at " + server + ": " + security.reason(status)
                                + (Reasons.isOfTls(status) ? "" : "; is it running? (--server)"),
                        Failure.EXIT_CODE_FAILED,
                        cause);
            case DEADLINE_EXCEEDED ->
                new Failure(
                        "the aggregator at " + server + " did not answer within " + CALL_TIMEOUT_SECONDS + " s",
                        Failure.EXIT_CODE_FAILED,
                        cause);
            case UNIMPLEMENTED ->
                new Failure(
                        "what listens at " + server + " is not an aggregator of exit137, or one of "
                                + "another version: " + said + " (--server)",
                        Failure.EXIT_CODE_FAILED,
                        cause);
            case INVALID_ARGUMENT ->
                new Failure("the aggregator at " + server + " refused: " + said, Failure.EXIT_CODE_USAGE, cause);
            default ->
                new Failure(
                        "the aggregator at " + server + " refused: " + said + " (" + status.getCode() + ")",
                        Failure.EXIT_CODE_FAILED,
                        cause);
        };
    }

    /** One line for a person about a stream that had been open. */
    String lost(Status status) {
        return "lost the aggregator at " + server + ": " + Reasons.of(status);
    }

    private static String said(Status status) {
        return status.getDescription() == null ? "no reason given" : status.getDescription();
    }

    @Override
    public void close() {
        channel.shutdownNow();
        try {
            channel.awaitTermination(CLOSE_TIMEOUT_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        eventLoop.shutdownGracefully(0, CLOSE_TIMEOUT_SECONDS, TimeUnit.SECONDS);
    }
}
