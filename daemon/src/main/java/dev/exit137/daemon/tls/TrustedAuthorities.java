package dev.exit137.daemon.tls;

import io.grpc.util.AdvancedTlsX509TrustManager;
import io.grpc.util.AdvancedTlsX509TrustManager.Verification;
import java.io.IOException;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.InstantSource;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Trusts the certificates from the authorities in a file, as the file is at the handshake. A rejection is explained
 * here in a sentence; the peer cannot know the reason, because TLS sends it only a number.
 */
final class TrustedAuthorities extends X509ExtendedTrustManager {
    @FunctionalInterface
    private interface Check {
        void by(X509ExtendedTrustManager authorities) throws CertificateException;
    }

    private final FlagFile file;
    private final InstantSource clock;
    private final Consumer<String> onRefusal;
    private final Reloaded<AdvancedTlsX509TrustManager> authorities;

    /**
     * Reads the file.
     *
     * @param clock shows which of two clocks is wrong; the JDK itself checks validity by the system's clock
     * @param onRefusal gets the reason why a certificate was rejected; on the thread of the handshake
     */
    TrustedAuthorities(FlagFile file, Verification verification, InstantSource clock, Consumer<String> onRefusal)
            throws UnusableFileException {
        this.file = file;
        this.clock = clock;
        this.onRefusal = onRefusal;
        AdvancedTlsX509TrustManager manager = manager(file, verification);
        authorities = new Reloaded<>(List.of(file), () -> {
            try {
                manager.updateTrustCredentials(Pem.certificates(file));
            } catch (UnusableFileException e) {
                throw e;
            } catch (IOException | GeneralSecurityException e) {
                throw file.unusable(
                        "its certificates cannot be used (" + e.getMessage() + "); give those of authorities", e);
            }
            return manager;
        });
    }

    private static AdvancedTlsX509TrustManager manager(FlagFile file, Verification verification)
            throws UnusableFileException {
        try {
            return AdvancedTlsX509TrustManager.newBuilder()
                    .setVerification(verification)
                    .build();
        } catch (CertificateException e) {
            throw file.unusable(Objects.requireNonNullElse(e.getMessage(), e.toString()), e);
        }
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
            throws CertificateException {
        takeUpOnce(engine.getHandshakeSession());
        check(chain, manager -> manager.checkServerTrusted(chain, authType, engine));
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
            throws CertificateException {
        if (socket instanceof SSLSocket secured) {
            takeUpOnce(secured.getHandshakeSession());
        }
        check(chain, manager -> manager.checkServerTrusted(chain, authType, socket));
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType) throws CertificateException {
        check(chain, manager -> manager.checkServerTrusted(chain, authType));
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
            throws CertificateException {
        takeUpOnce(engine.getHandshakeSession());
        check(chain, manager -> manager.checkClientTrusted(chain, authType, engine));
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
            throws CertificateException {
        if (socket instanceof SSLSocket secured) {
            takeUpOnce(secured.getHandshakeSession());
        }
        check(chain, manager -> manager.checkClientTrusted(chain, authType, socket));
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType) throws CertificateException {
        check(chain, manager -> manager.checkClientTrusted(chain, authType));
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return authorities.get().getAcceptedIssuers();
    }

    /**
     * Prevents the resumption of this session. A resumed session would keep the certificate of this handshake without a
     * new check, even if the certificate has expired since: the JDK allows that for more than an hour, despite the
     * timeout.
     */
    private static void takeUpOnce(SSLSession session) {
        session.invalidate();
    }

    private void check(X509Certificate[] chain, Check check) throws CertificateException {
        try {
            check.by(authorities.get());
        } catch (CertificateException e) {
            String why = CertificateRefusal.why(chain, e, file, clock.instant());
            onRefusal.accept(why);
            // Without the cause: the innermost message is the one that the user sees.
            throw new CertificateException(why);
        }
    }
}
