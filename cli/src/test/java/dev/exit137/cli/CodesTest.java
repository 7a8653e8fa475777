package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CodesTest {
    private final Session session = new Session();

    @Test
    void aCodeIsExplainedOnAPageThatATerminalHasRoomFor() {
        assertThat(session.run("codes", "137")).isZero();
        assertThat(session.out()).first().isEqualTo("137 = 128 + 9: SIGKILL ended the process");
        assertThat(session.out()).allMatch(line -> line.length() <= 100);
        assertThat(String.join(" ", session.out())).contains("does not say who sent it");
        assertThat(session.err()).isEmpty();
    }

    @Test
    void withoutACodeThereIsATableOfAllInWhichNeighboursShareALine() {
        assertThat(session.run("codes")).isZero();
        assertThat(session.out())
                .startsWith("CODE        MEANING", "0           success")
                .contains(
                        "3 to 63     the program's own: no convention gives it a meaning",
                        "137         128 + 9: SIGKILL ended the process",
                        "255         an error outside of the range, or a code that nobody knows")
                .allMatch(line -> line.length() <= 100);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
            256    | '256' is not an exit code: give a number from 0 to 255, or none for all
            SIGKILL| 'SIGKILL' is not an exit code: give a number from 0 to 255, or none for all
            -1     | '-1' is not an exit code: give a number from 0 to 255, or none for all; a program that ends with -1 has the code 255
            """)
    void whatIsNotACodeIsBadUsageWithTheRule(String code, String message) {
        assertThat(session.run("codes", "--", code)).isEqualTo(2);
        assertThat(session.err()).containsExactly("exit137: " + message, "exit137: see 'exit137 codes --help'");
    }
}
