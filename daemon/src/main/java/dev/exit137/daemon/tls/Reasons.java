package dev.exit137.daemon.tls;

import io.grpc.Status;
import java.util.List;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;

/** Explains a failed connection to the user: gRPC hides the reason behind "io exception". */
public final class Reasons {
    // The errors when only one side speaks TLS, depending on timing; they also have many other causes.
    private static final List<String> OF_PLAINTEXT_TO_TLS =
            List.of("Connection reset", "Network closed", "Broken pipe", "First received frame was not SETTINGS");

    private Reasons() {}

    /** Returns the innermost known reason. */
    public static String of(Status status) {
        Throwable cause = status.getCause();
        while (cause != null && cause.getCause() != null) {
            cause = cause.getCause();
        }
        String said = cause != null && cause.getMessage() != null ? cause.getMessage() : status.getDescription();
        if (said == null) {
            return "no reason given";
        }
        if (said.contains("not an SSL/TLS record")) {
            return "it speaks plaintext: leave out --tls-ca, and give --plaintext if that is meant";
        }
        // RFC 8446, 6.2: certificate_unknown, certificate_expired, certificate_required, bad_certificate, unknown_ca
        if (said.contains("fatal alert: ") && (said.contains("certificate") || said.contains("unknown_ca"))) {
            return "it refuses this client's certificate (--tls-cert), and its log says why: " + said;
        }
        return said;
    }

    /** Returns the reason for a client that never had a connection, and so may use the wrong protocol. */
    static String ofFirst(Status status, boolean plaintext) {
        String said = of(status);
        boolean doubtful = plaintext && OF_PLAINTEXT_TO_TLS.stream().anyMatch(said::contains);
        return doubtful ? said + " (if it serves TLS, give --tls-ca)" : said;
    }

    /** Whether TLS failed, which means that a peer answered. */
    public static boolean isOfTls(Status status) {
        return Stream.iterate(status.getCause(), cause -> cause != null, Throwable::getCause)
                .anyMatch(SSLException.class::isInstance);
    }
}
