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
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManager;
import org.jspecify.annotations.Nullable;

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
     * @param clientAuthorities null: nobody is asked for a certificate
     * @param clock the wall clock
     * @param onRefusedClient gets the reason why a client's certificate was rejected; on the network thread
     */
    public static ServerCredentials server(
            FlagFile certificate,
            FlagFile key,
            @Nullable FlagFile clientAuthorities,
            InstantSource clock,
            Consumer<String> onRefusedClient)
            throws UnusableFileException {
        SslContextBuilder builder = SslContextBuilder.forServer(new OwnCertificate(certificate, key, clock));
        if (clientAuthorities != null) {
            builder.clientAuth(ClientAuth.OPTIONAL)
                    .trustManager(new TrustedAuthorities(
                            clientAuthorities, Verification.CERTIFICATE_ONLY_VERIFICATION, clock, onRefusedClient));
        }
        try {
            return NettySslContextServerCredentials.create(GrpcSslContexts.configure(builder, SslProvider.JDK)
                    .protocols(PROTOCOLS)
                    .build());
        } catch (SSLException e) {
            throw certificate.unusable(Objects.requireNonNullElse(e.getMessage(), e.toString()), e);
        }
    }

    /**
     * The credentials of a client.
     *
     * @param certificateAndKey what to show to the aggregator; null for nothing
     * @param clock the wall clock
     */
    static ChannelCredentials client(
            FlagFile authorities, @Nullable ClientCertificate certificateAndKey, InstantSource clock)
            throws UnusableFileException {
        SslContextBuilder builder = SslContextBuilder.forClient()
                .trustManager(new TrustedAuthorities(
                        authorities, Verification.CERTIFICATE_AND_HOST_NAME_VERIFICATION, clock, _ -> {}));
        if (certificateAndKey != null) {
            builder.keyManager(new OwnCertificate(certificateAndKey.certificate(), certificateAndKey.key(), clock));
        }
        try {
            return NettySslContextChannelCredentials.create(GrpcSslContexts.configure(builder, SslProvider.JDK)
                    .protocols(PROTOCOLS)
                    .build());
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
            new TrustedAuthorities(authorities, Verification.CERTIFICATE_AND_HOST_NAME_VERIFICATION, clock, _ -> {})
        };
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
