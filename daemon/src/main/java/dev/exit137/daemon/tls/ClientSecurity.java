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
 * How an agent or a consumer connects to an aggregator. Files are read again when they change, without a new
 * connection being needed for a token, and at the next connection for certificates.
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
   * @param certificate shown to the aggregator; only with authorities
   * @param serverName the name that the aggregator's certificate must have; that of the address where empty
   * @param token sent with each call, by TLS or to the loopback only
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

  /** A channel to HOST:PORT, to be completed. */
  public NettyChannelBuilder channelTo(String address) {
    NettyChannelBuilder builder = NettyChannelBuilder.forTarget("dns:///" + address, credentials);
    serverName.ifPresent(builder::overrideAuthority);
    return builder;
  }

  /** Why no connection could be made that way, for a person. */
  public String reason(Status status) {
    return Reasons.ofFirst(status, !tls);
  }
}
