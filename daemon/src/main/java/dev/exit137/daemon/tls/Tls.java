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
 * Both sides of TLS, with the JDK's own provider: it accepts keys of any kind, unpacks no library, and explains in
 * words why it rejects a certificate.
 */
public final class Tls {
  private static final String[] PROTOCOLS = {"TLSv1.3", "TLSv1.2"};

  private Tls() {}

  /**
   * The credentials of the aggregator. A client may connect without a certificate; if it sends one, the certificate
   * must be valid.
   *
   * @param clientAuthorities empty: clients are not asked for a certificate
   * @param clock the wall clock
   * @param onRefusedClient gets the reason why a client's certificate was rejected; on the network thread
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
   * The credentials of a client.
   *
   * @param certificateAndKey the client's own certificate; empty for none
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
   * A socket factory for HTTPS, with servers that have a certificate from these authorities.
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

  /** A client's own certificate and its key. */
  public record ClientCertificate(FlagFile certificate, FlagFile key) {}
}
