package dev.exit137.daemon.tls;

import io.grpc.CallCredentials;
import io.grpc.ChannelCredentials;
import io.grpc.CompositeChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.time.InstantSource;
import org.jspecify.annotations.Nullable;

/**
 * The settings for a connection of an agent or a consumer to an aggregator. Changed files are read again: a token with
 * the next call, a certificate at the next connection.
 */
public final class ClientSecurity {
    /** Neither TLS nor a token. */
    public static final ClientSecurity PLAINTEXT = new ClientSecurity(false, InsecureChannelCredentials.create(), null);

    private final boolean tls;
    private final ChannelCredentials credentials;
    private final @Nullable String serverName;

    private ClientSecurity(boolean tls, ChannelCredentials credentials, @Nullable String serverName) {
        this.tls = tls;
        this.credentials = credentials;
        this.serverName = serverName;
    }

    /**
     * Reads the files.
     *
     * @param authorities null for plaintext
     * @param certificate shown to the aggregator, only with authorities; null for none
     * @param serverName the name that the aggregator's certificate must have; that of the address where null
     * @param token sent with each call, by TLS or to the loopback only; null for none
     * @param clock the wall clock
     */
    public static ClientSecurity open(
            @Nullable FlagFile authorities,
            Tls.@Nullable ClientCertificate certificate,
            @Nullable String serverName,
            @Nullable FlagFile token,
            InstantSource clock)
            throws UnusableFileException {
        ChannelCredentials credentials =
                authorities == null ? InsecureChannelCredentials.create() : Tls.client(authorities, certificate, clock);
        if (token != null) {
            CallCredentials bearer = new BearerToken(token);
            credentials = CompositeChannelCredentials.create(credentials, bearer);
        }
        return new ClientSecurity(authorities != null, credentials, serverName);
    }

    /** Returns a builder of a channel to HOST:PORT. */
    public NettyChannelBuilder channelTo(String address) {
        NettyChannelBuilder builder = NettyChannelBuilder.forTarget("dns:///" + address, credentials);
        if (serverName != null) {
            builder.overrideAuthority(serverName);
        }
        return builder;
    }

    /** Explains to the user why no connection could be made. */
    public String reason(Status status) {
        return Reasons.ofFirst(status, !tls);
    }
}
