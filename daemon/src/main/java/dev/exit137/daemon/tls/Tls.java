package dev.exit137.daemon.tls;

import io.grpc.ChannelCredentials;
import io.grpc.ServerCredentials;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettySslContextChannelCredentials;
import io.grpc.netty.shaded.io.grpc.netty.NettySslContextServerCredentials;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslProvider;
import io.grpc.util.AdvancedTlsX509TrustManager.Verification;
import java.security.GeneralSecurityException;
import java.time.InstantSource;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManager;

/**
 * Both sides of TLS, by the JDK's own provider: it takes any kind of key, unpacks no library, and says in words what it
 * refuses.
 */
public final class Tls {
  private static final String[] PROTOCOLS = {"TLSv1.3", "TLSv1.2"};

  private Tls() {}

  /**
   * The side of the aggregator. A client may come without a certificate; one that it shows must be good.
   *
   * @param clientAuthorities empty: nobody is asked for a certificate
   * @param clock the wall clock
   * @param onRefusedClient is told why a client's certificate was refused; on the network thread
   */
  public static ServerCredentials server(
      FlagFile certificate,
      FlagFile key,
      Optional<FlagFile> clientAuthorities,
      InstantSource clock,
      Consumer<String> onRefusedClient)
      throws UnusableFileException {
    SslContextBuilder builder = SslContextBuilder.forServer(new OwnCertificate(certificate, key, clock));
    if (clientAuthorities.isPresent()) {
      builder.clientAuth(ClientAuth.OPTIONAL).trustManager(new TrustedAuthorities(
          clientAuthorities.get(), Verification.CERTIFICATE_ONLY_VERIFICATION, clock, onRefusedClient));
    }
    try {
      return NettySslContextServerCredentials.create(
          GrpcSslContexts.configure(builder, SslProvider.JDK).protocols(PROTOCOLS).build());
    } catch (SSLException e) {
      throw certificate.unusable(Objects.requireNonNullElse(e.getMessage(), e.toString()), e);
    }
  }

  /**
   * The side of whoever connects.
   *
   * @param certificateAndKey what to show to the aggregator; empty for nothing
   * @param clock the wall clock
   */
  static ChannelCredentials client(
      FlagFile authorities, Optional<ClientCertificate> certificateAndKey, InstantSource clock)
      throws UnusableFileException {
    SslContextBuilder builder = SslContextBuilder.forClient().trustManager(new TrustedAuthorities(
        authorities, Verification.CERTIFICATE_AND_HOST_NAME_VERIFICATION, clock, _ -> {}));
    if (certificateAndKey.isPresent()) {
      ClientCertificate own = certificateAndKey.get();
      builder.keyManager(new OwnCertificate(own.certificate(), own.key(), clock));
    }
    try {
      return NettySslContextChannelCredentials.create(
          GrpcSslContexts.configure(builder, SslProvider.JDK).protocols(PROTOCOLS).build());
    } catch (SSLException e) {
      throw authorities.unusable(Objects.requireNonNullElse(e.getMessage(), e.toString()), e);
    }
  }

  /**
   * For HTTPS, with servers whose certificates these authorities vouch for.
   *
   * @param clock the wall clock
   */
  public static SSLSocketFactory sockets(FlagFile authorities, InstantSource clock) throws UnusableFileException {
    TrustManager[] managers = {
        new TrustedAuthorities(authorities, Verification.CERTIFICATE_AND_HOST_NAME_VERIFICATION, clock, _ -> {})};
    try {
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, managers, null);
      return context.getSocketFactory();
    } catch (GeneralSecurityException e) {
      throw authorities.unusable(Objects.requireNonNullElse(e.getMessage(), e.toString()), e);
    }
  }

  /** What a client shows of itself. */
  public record ClientCertificate(FlagFile certificate, FlagFile key) {}
}
