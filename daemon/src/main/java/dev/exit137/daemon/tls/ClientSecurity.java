package dev.exit137.daemon.tls;

import io.grpc.CallCredentials;
import io.grpc.ChannelCredentials;
import io.grpc.CompositeChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.time.InstantSource;
import java.util.Optional;

/**
 * The settings for a connection of an agent or a consumer to an aggregator. Changed files are read again: a token with
 * the next call, a certificate at the next connection.
 */
public final class ClientSecurity {
  /** Neither TLS nor a token. */
  public static final ClientSecurity PLAINTEXT =
      new ClientSecurity(false, InsecureChannelCredentials.create(), Optional.empty());

  private final boolean tls;
  private final ChannelCredentials credentials;
  private final Optional<String> serverName;

  private ClientSecurity(boolean tls, ChannelCredentials credentials, Optional<String> serverName) {
    this.tls = tls;
    this.credentials = credentials;
    this.serverName = serverName;
  }

  /**
   * Reads the files.
   *
   * @param authorities empty for plaintext
   * @param certificate the client's own certificate; only with authorities
   * @param serverName the required name in the aggregator's certificate; the name in the address if empty
   * @param token sent with each call, only over TLS or to the loopback
   * @param clock the wall clock
   */
  public static ClientSecurity open(
      Optional<FlagFile> authorities,
      Optional<Tls.ClientCertificate> certificate,
      Optional<String> serverName,
      Optional<FlagFile> token,
      InstantSource clock)
      throws UnusableFileException {
    ChannelCredentials credentials =
        authorities.isPresent()
            ? Tls.client(authorities.get(), certificate, clock)
            : InsecureChannelCredentials.create();
    if (token.isPresent()) {
      CallCredentials bearer = new BearerToken(token.get());
      credentials = CompositeChannelCredentials.create(credentials, bearer);
    }
    return new ClientSecurity(authorities.isPresent(), credentials, serverName);
  }

  /** Returns a builder of a channel to HOST:PORT. */
  public NettyChannelBuilder channelTo(String address) {
    NettyChannelBuilder builder = NettyChannelBuilder.forTarget("dns:///" + address, credentials);
    serverName.ifPresent(builder::overrideAuthority);
    return builder;
  }

  /** Explains to the user why no connection could be made. */
  public String reason(Status status) {
    return Reasons.ofFirst(status, !tls);
  }
}
