package dev.exit137.daemon.tls;

import io.grpc.util.AdvancedTlsX509KeyManager;
import java.net.Socket;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The certificate and the key of this side; each handshake uses the current content of the files. */
final class OwnCertificate extends X509ExtendedKeyManager {
    private static final Logger LOG = LoggerFactory.getLogger(OwnCertificate.class);

    private final AdvancedTlsX509KeyManager keys = new AdvancedTlsX509KeyManager();
    private final Reloaded<AdvancedTlsX509KeyManager> files;

    OwnCertificate(FlagFile certificate, FlagFile key, InstantSource clock) throws UnusableFileException {
        files = new Reloaded<>(List.of(certificate, key), () -> {
            X509Certificate[] chain = Pem.certificates(certificate);
            keys.updateIdentityCredentials(chain, Pem.keyOf(chain[0], certificate, key));
            Instant end = chain[0].getNotAfter().toInstant();
            if (end.isBefore(clock.instant())) {
                LOG.warn(
                        "{}: the certificate expired at {}; others refuse it until there is a new one",
                        certificate,
                        end);
            }
            return keys;
        });
    }

    @Override
    public String chooseEngineClientAlias(String[] keyTypes, Principal[] issuers, SSLEngine engine) {
        return files.get().chooseEngineClientAlias(keyTypes, issuers, engine);
    }

    @Override
    public String chooseEngineServerAlias(String keyType, Principal[] issuers, SSLEngine engine) {
        return files.get().chooseEngineServerAlias(keyType, issuers, engine);
    }

    @Override
    public String chooseClientAlias(String[] keyTypes, Principal[] issuers, Socket socket) {
        return files.get().chooseClientAlias(keyTypes, issuers, socket);
    }

    @Override
    public String chooseServerAlias(String keyType, Principal[] issuers, Socket socket) {
        return files.get().chooseServerAlias(keyType, issuers, socket);
    }

    @Override
    public String[] getClientAliases(String keyType, Principal[] issuers) {
        return keys.getClientAliases(keyType, issuers);
    }

    @Override
    public String[] getServerAliases(String keyType, Principal[] issuers) {
        return keys.getServerAliases(keyType, issuers);
    }

    @Override
    public X509Certificate[] getCertificateChain(String alias) {
        return keys.getCertificateChain(alias);
    }

    @Override
    public PrivateKey getPrivateKey(String alias) {
        return keys.getPrivateKey(alias);
    }
}
