package dev.exit137.daemon.tls;

import io.grpc.CallCredentials;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.SecurityLevel;
import io.grpc.Status;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.regex.Pattern;

/** Sends the current token of a file with each call, but never over a connection that others can read. */
public final class BearerToken extends CallCredentials {
    private static final Metadata.Key<String> AUTHORIZATION =
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

    // RFC 6750, b68token.
    private static final Pattern TOKEN = Pattern.compile("[A-Za-z0-9._~+/-]+=*");

    private final Reloaded<String> token;

    BearerToken(FlagFile file) throws UnusableFileException {
        token = in(file);
    }

    /** Returns the token of the file, which is read again after a change. */
    public static Reloaded<String> in(FlagFile file) throws UnusableFileException {
        return new Reloaded<>(List.of(file), () -> {
            String text = file.read().strip();
            if (!TOKEN.matcher(text).matches()) {
                throw file.unusable("it holds no token; give the file of a projected service account token", null);
            }
            return text;
        });
    }

    @Override
    public void applyRequestMetadata(RequestInfo request, Executor executor, MetadataApplier applier) {
        SocketAddress peer = request.getTransportAttrs().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
        boolean loopback = peer instanceof InetSocketAddress address
                && address.getAddress().isLoopbackAddress();
        if (request.getSecurityLevel() != SecurityLevel.PRIVACY_AND_INTEGRITY && !loopback) {
            applier.fail(Status.UNAUTHENTICATED.withDescription("the token is not sent without TLS; give --tls-ca"));
            return;
        }
        Metadata headers = new Metadata();
        headers.put(AUTHORIZATION, "Bearer " + token.get());
        applier.apply(headers);
    }
}
