package dev.exit137.cli.security;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Instant;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TestCaTest {
    @ParameterizedTest
    @ValueSource(strings = {"2049-12-31T23:59:59Z", "2050-01-01T00:00:00Z", "2051-06-07T08:09:10Z"})
    void aCertificateEndsWhenItWasToldToAlsoAfterTheTimesOfTwoDigits(String time) throws Exception {
        Instant end = Instant.parse(time);

        byte[] der = new TestCa("the cluster's CA")
                .issue(TestCa.keys("EC"), "worker-1", end)
                .certificate();

        X509Certificate certificate = (X509Certificate)
                CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(der));
        assertThat(certificate.getNotAfter()).isEqualTo(end);
        assertThat(certificate.getNotBefore()).isEqualTo(end.minusSeconds(172_800));
    }
}
