package dev.exit137.daemon.tls;

import io.grpc.Status;
import java.util.List;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;

/** Why a connection failed, in words for a person: gRPC hides the reason behind "io exception". */
public final class Reasons {
  // What comes back, by chance of timing, when one side speaks TLS and the other does not; and of much else.
  private static final List<String> OF_PLAINTEXT_TO_TLS =
      List.of("Connection reset", "Network closed", "Broken pipe", "First received frame was not SETTINGS");

  private Reasons() {}

  /** The innermost reason that is known. */
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

  /** The same for one that tried to connect, perhaps in the wrong way. */
  static String ofFirst(Status status, boolean plaintext) {
    String said = of(status);
    boolean doubtful = plaintext && OF_PLAINTEXT_TO_TLS.stream().anyMatch(said::contains);
    return doubtful ? said + " (if it serves TLS, give --tls-ca)" : said;
  }

  /** Whether TLS failed, so there is somebody to talk to. */
  public static boolean isOfTls(Status status) {
    return Stream.iterate(status.getCause(), cause -> cause != null, Throwable::getCause)
        .anyMatch(SSLException.class::isInstance);
  }
}
