package dev.exit137.daemon.tls;

import java.io.ByteArrayInputStream;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Certificates and keys in PEM files (RFC 7468). */
final class Pem {
    // Base64 has no dash, so the body ends at the next one.
    private static final Pattern BLOCK = Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \\1-----");
    private static final String PRIVATE_KEY = "PRIVATE KEY";

    private Pem() {}

    /** Returns all certificates of the file, at least one; other blocks are skipped. */
    static X509Certificate[] certificates(FlagFile file) throws UnusableFileException {
        List<X509Certificate> certificates = new ArrayList<>();
        Matcher block = BLOCK.matcher(file.read());
        while (block.find()) {
            if (block.group(1).equals("CERTIFICATE")) {
                certificates.add(certificate(file, block.group(2)));
            }
        }
        if (certificates.isEmpty()) {
            throw file.unusable("it holds no certificate; give a PEM file with -----BEGIN CERTIFICATE-----", null);
        }
        return certificates.toArray(X509Certificate[]::new);
    }

    private static X509Certificate certificate(FlagFile file, String base64) throws UnusableFileException {
        try {
            return (X509Certificate) CertificateFactory.getInstance("X.509")
                    .generateCertificate(new ByteArrayInputStream(decode(base64)));
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            throw file.unusable("a certificate in it is damaged; write it anew", e);
        }
    }

    /** Returns the file's first private key; throws if it does not belong to the certificate. */
    static PrivateKey keyOf(X509Certificate certificate, FlagFile certificateFile, FlagFile file)
            throws UnusableFileException {
        Matcher block = BLOCK.matcher(file.read());
        while (block.find()) {
            if (block.group(1).equals(PRIVATE_KEY)) {
                PrivateKey key = key(file, certificate.getPublicKey().getAlgorithm(), block.group(2));
                if (key == null || !isOf(certificate.getPublicKey(), key)) {
                    throw file.unusable(
                            "it is not the key of the certificate in " + certificateFile
                                    + "; give the two that belong together",
                            null);
                }
                return key;
            }
            if (block.group(1).endsWith(PRIVATE_KEY)) {
                throw file.unusable(
                        "it is a " + block.group(1) + ", and must be a PRIVATE KEY (PKCS#8, not encrypted): "
                                + "openssl pkcs8 -topk8 -nocrypt -in " + file.path()
                                + " makes one; cert-manager does with "
                                + "privateKey.encoding: PKCS8",
                        null);
            }
        }
        throw file.unusable("it holds no key; give a PEM file with -----BEGIN PRIVATE KEY-----", null);
    }

    /** Returns null for a key of another kind. */
    private static @Nullable PrivateKey key(FlagFile file, String algorithm, String base64)
            throws UnusableFileException {
        byte[] der;
        try {
            der = decode(base64);
        } catch (IllegalArgumentException e) {
            // Without the cause, which may quote the key.
            throw file.unusable("the key in it is damaged; write it anew", null);
        }
        try {
            return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der));
        } catch (GeneralSecurityException e) {
            return null;
        }
    }

    /** Whether the public key verifies a signature of the private key. */
    private static boolean isOf(PublicKey publicKey, PrivateKey key) {
        String algorithm = switch (key.getAlgorithm()) {
            case "RSA" -> "SHA256withRSA";
            case "EC" -> "SHA256withECDSA";
            default -> key.getAlgorithm();
        };
        byte[] text = {1, 3, 7};
        try {
            Signature signature = Signature.getInstance(algorithm);
            signature.initSign(key);
            signature.update(text);
            byte[] signed = signature.sign();
            signature.initVerify(publicKey);
            signature.update(text);
            return signature.verify(signed);
        } catch (GeneralSecurityException e) {
            return false;
        }
    }

    private static byte[] decode(String base64) {
        return Base64.getMimeDecoder().decode(base64);
    }
}
