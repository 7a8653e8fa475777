package dev.exit137.daemon.tls;

import java.security.cert.CertificateException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;

/** Explains in a sentence why the peer's certificate is not trusted. */
final class CertificateRefusal {
    private static final int MAX_NAME_CHARS = 200;

    private CertificateRefusal() {}

    static String why(X509Certificate[] chain, CertificateException refusal, FlagFile authorities, Instant now) {
        if (chain == null || chain.length == 0) {
            return "the other side shows no certificate";
        }
        for (X509Certificate certificate : chain) {
            Instant begin = certificate.getNotBefore().toInstant();
            Instant end = certificate.getNotAfter().toInstant();
            if (now.isAfter(end)) {
                return "the certificate of " + name(certificate) + " expired at " + end + "; it needs a new one";
            }
            if (now.isBefore(begin)) {
                return "the certificate of " + name(certificate) + " is valid from " + begin
                        + " only; compare the clocks of the two machines";
            }
        }
        String said = innermost(refusal);
        // sun.security.util.HostnameChecker: "No subject alternative DNS name matching db.example found." and similar.
        if (said.startsWith("No subject alternative") || said.startsWith("No name matching")) {
            return "the certificate is of " + name(chain[0]) + ", for " + alternativeNames(chain[0])
                    + ", and not for the name that was connected to; connect by one of its names, or say with --tls-server-name"
                    + " which to expect";
        }
        return "the certificate of " + name(chain[0]) + ", issued by "
                + printable(chain[0].getIssuerX500Principal().getName()) + ", is vouched for by no authority in "
                + authorities.path() + " (" + authorities.flag() + "): " + said;
    }

    private static String innermost(Throwable thrown) {
        Throwable cause = thrown;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        return String.valueOf(cause.getMessage());
    }

    private static String name(X509Certificate certificate) {
        String subject = certificate.getSubjectX500Principal().getName();
        return subject.isEmpty() ? alternativeNames(certificate) : printable(subject);
    }

    private static String alternativeNames(X509Certificate certificate) {
        try {
            Collection<List<?>> names = certificate.getSubjectAlternativeNames();
            return names == null
                    ? "no name"
                    : printable(names.stream()
                            .map(name -> String.valueOf(name.get(1)))
                            .collect(Collectors.joining(", ")));
        } catch (CertificateParsingException e) {
            return "no name that can be read";
        }
    }

    /** The creator of the certificate chose the name, and the name goes into a log. */
    private static String printable(String name) {
        String clean = name.replaceAll("\\p{Cntrl}", "?");
        return clean.length() <= MAX_NAME_CHARS ? clean : clean.substring(0, MAX_NAME_CHARS) + "...";
    }
}
