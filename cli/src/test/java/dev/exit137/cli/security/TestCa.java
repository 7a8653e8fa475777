package dev.exit137.cli.security;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.HexFormat;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/**
 * An authority of the tests' own. The JDK makes no certificates, so they are put together here, byte by byte: RFC 5280,
 * 4.1, in DER.
 */
public final class TestCa {
    private static final AtomicLong SERIAL = new AtomicLong(1);

    // RFC 5280, 4.1.2.5: a year of two digits until 2049, one of four from 2050 on.
    private static final Instant GENERALIZED_TIME_BEGINS = Instant.parse("2050-01-01T00:00:00Z");
    private static final DateTimeFormatter UTC_TIME =
            DateTimeFormatter.ofPattern("yyMMddHHmmss'Z'").withZone(ZoneOffset.UTC);
    private static final DateTimeFormatter GENERALIZED_TIME =
            DateTimeFormatter.ofPattern("yyyyMMddHHmmss'Z'").withZone(ZoneOffset.UTC);

    private static final int INTEGER = 0x02;
    private static final int BIT_STRING = 0x03;
    private static final int OCTET_STRING = 0x04;
    private static final int UTF8_STRING = 0x0c;
    private static final int UTC = 0x17;
    private static final int GENERALIZED = 0x18;
    private static final int SEQUENCE = 0x30;
    private static final int SET = 0x31;
    private static final int VERSION = 0xa0;
    private static final int EXTENSIONS = 0xa3;

    private static final byte[] ECDSA_WITH_SHA256 = tlv(SEQUENCE, hex("06082a8648ce3d040302"));
    private static final byte[] COMMON_NAME = hex("0603550403");
    private static final byte[] SUBJECT_ALT_NAME = hex("0603551d11");
    private static final byte[] BASIC_CONSTRAINTS = hex("0603551d13");
    private static final byte[] IS_CA = hex("0101ff04053003" + "0101ff");

    private final String name;
    private final KeyPair keys = keys("EC");
    private final byte[] certificate;

    /** A certificate and its key. */
    public record Issued(byte[] certificate, KeyPair keys) {
        /** Writes both; whoever reads meanwhile finds the old or the new of each. */
        Issued write(Path certificateFile, Path keyFile) {
            writePem(certificateFile, "CERTIFICATE", certificate);
            writePem(keyFile, "PRIVATE KEY", keys.getPrivate().getEncoded());
            return this;
        }

        /** For a server that shows it. */
        public SSLContext serverContext() throws GeneralSecurityException, IOException {
            char[] password = {};
            Certificate own =
                    CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(certificate));
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(null, password);
            store.setKeyEntry("own", keys.getPrivate(), password, new Certificate[] {own});
            KeyManagerFactory managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            managers.init(store, password);
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(managers.getKeyManagers(), null, null);
            return context;
        }
    }

    public TestCa(String name) {
        this.name = name;
        Instant now = Instant.now();
        certificate = certificate(
                name, keys, now.minusSeconds(3600), now.plusSeconds(86_400), tlv(SEQUENCE, BASIC_CONSTRAINTS, IS_CA));
    }

    /** Writes its own certificate. */
    public Path write(Path file) {
        writePem(file, "CERTIFICATE", certificate);
        return file;
    }

    /** A certificate for a day; names are like dns:localhost, ip:127.0.0.1, uri:node:worker-1. */
    public Issued issue(String commonName, String... names) {
        return issue(keys("EC"), commonName, Instant.now().plusSeconds(86_400), names);
    }

    /** One that ended an hour ago. */
    Issued issueExpired(String commonName, String... names) {
        return issue(keys("EC"), commonName, Instant.now().minusSeconds(3600), names);
    }

    Issued issue(KeyPair ofSubject, String commonName, Instant end, String... names) {
        byte[] general = {};
        for (String each : names) {
            general = concat(general, generalName(each));
        }
        byte[] extension = tlv(SEQUENCE, SUBJECT_ALT_NAME, tlv(OCTET_STRING, tlv(SEQUENCE, general)));
        return new Issued(
                certificate(
                        commonName,
                        ofSubject,
                        end.minusSeconds(172_800),
                        end,
                        names.length == 0 ? new byte[0] : extension),
                ofSubject);
    }

    static KeyPair keys(String algorithm) {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance(algorithm);
            switch (algorithm) {
                case "EC" -> generator.initialize(256);
                case "RSA" -> generator.initialize(2048);
                default -> {}
            }
            return generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    private byte[] certificate(String subject, KeyPair ofSubject, Instant begin, Instant end, byte[] extension) {
        byte[] toBeSigned = tlv(
                SEQUENCE,
                tlv(VERSION, tlv(INTEGER, new byte[] {2})),
                tlv(INTEGER, BigInteger.valueOf(SERIAL.getAndIncrement()).toByteArray()),
                ECDSA_WITH_SHA256,
                distinguishedName(name),
                tlv(SEQUENCE, time(begin), time(end)),
                distinguishedName(subject),
                ofSubject.getPublic().getEncoded(),
                extension.length == 0 ? extension : tlv(EXTENSIONS, tlv(SEQUENCE, extension)));
        try {
            Signature signature = Signature.getInstance("SHA256withECDSA");
            signature.initSign(keys.getPrivate());
            signature.update(toBeSigned);
            byte[] signed = concat(new byte[] {0}, signature.sign());
            return tlv(SEQUENCE, toBeSigned, ECDSA_WITH_SHA256, tlv(BIT_STRING, signed));
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }

    private static byte[] time(Instant time) {
        return time.isBefore(GENERALIZED_TIME_BEGINS)
                ? tlv(UTC, ascii(UTC_TIME.format(time)))
                : tlv(GENERALIZED, ascii(GENERALIZED_TIME.format(time)));
    }

    private static byte[] distinguishedName(String commonName) {
        return tlv(SEQUENCE, tlv(SET, tlv(SEQUENCE, COMMON_NAME, tlv(UTF8_STRING, ascii(commonName)))));
    }

    private static byte[] generalName(String name) {
        String value = name.substring(name.indexOf(':') + 1);
        return switch (name.substring(0, name.indexOf(':'))) {
            case "dns" -> tlv(0x82, ascii(value));
            case "uri" -> tlv(0x86, ascii(value));
            case "ip" -> tlv(0x87, new byte[] {127, 0, 0, 1});
            default -> throw new AssertionError(name);
        };
    }

    private static byte[] tlv(int tag, byte[]... contents) {
        byte[] content = concat(contents);
        int length = content.length;
        byte[] header;
        if (length < 0x80) {
            header = new byte[] {(byte) tag, (byte) length};
        } else if (length < 0x100) {
            header = new byte[] {(byte) tag, (byte) 0x81, (byte) length};
        } else {
            header = new byte[] {(byte) tag, (byte) 0x82, (byte) (length >> 8), (byte) length};
        }
        return concat(header, content);
    }

    private static byte[] concat(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return all.toByteArray();
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    private static byte[] hex(String digits) {
        return HexFormat.of().parseHex(digits);
    }

    private static void writePem(Path file, String kind, byte[] der) {
        String base64 = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der);
        try {
            Path fresh = Files.createTempFile(file.getParent(), "new", ".pem");
            Files.writeString(fresh, "-----BEGIN " + kind + "-----\n" + base64 + "\n-----END " + kind + "-----\n");
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
