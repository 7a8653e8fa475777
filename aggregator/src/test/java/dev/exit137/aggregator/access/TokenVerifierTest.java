package dev.exit137.aggregator.access;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.exit137.aggregator.TestClock;
import io.grpc.StatusException;
import java.text.ParseException;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class TokenVerifierTest {
    private static final Instant BEGIN = Instant.parse("2001-02-03T04:05:06Z");
    private static final Instant END = BEGIN.plus(Duration.ofHours(1));

    private final TestTokens cluster = new TestTokens("key-1");
    private final TokenKeys keys = TokenKeys.parse(TestTokens.jwks(cluster));
    private final TestClock clock = new TestClock(BEGIN);
    private final TokenVerifier tokens = new TokenVerifier(TestTokens.config("jwks.json"), () -> keys, clock);

    TokenVerifierTest() throws ParseException {}

    @Test
    void aTokenIsGoodAsLongAsTheClockThatWasHandedInSays() throws StatusException {
        String token = cluster.token("worker-1", BEGIN, END);

        TokenVerifier.Proof proof = tokens.verify(token, keys);

        assertThat(proof.names()).contains("node:worker-1");
        clock.advance(Duration.ofHours(2));
        assertThatThrownBy(() -> tokens.verify(token, keys)).hasMessageContaining("it has expired");
        clock.advance(Duration.ofHours(-3));
        assertThatThrownBy(() -> tokens.verify(token, keys)).hasMessageContaining("before use time");
    }

    @Test
    void aTokenThatIsTakenIsAProofForLongerThanAMoment() throws StatusException {
        // Five seconds are allowed for clocks that differ; a stream that begins in these must not end at once.
        clock.advance(Duration.ofHours(1).plusSeconds(4));

        TokenVerifier.Proof proof = tokens.verify(cluster.token("worker-1", BEGIN, END), keys);

        assertThat(proof.until()).isAfter(clock.instant());
    }
}
