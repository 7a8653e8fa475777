package dev.exit137.exitreport.words;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ExitCodesTest {
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            0   | success
            77  | EX_NOPERM: permission denied
            78  | EX_CONFIG: the configuration is wrong
            79  | the program's own: no convention gives it a meaning
            126 | the program was found, but cannot be executed
            127 | the program was not found
            129 | 128 + 1: SIGHUP ended the process
            137 | 128 + 9: SIGKILL ended the process
            143 | 128 + 15: SIGTERM ended the process
            145 | 128 + 17: SIGCHLD, which ends no process
            160 | 128 + 32: signal 32 ended the process
            162 | 128 + 34: SIGRTMIN ended the process
            177 | 128 + 49: SIGRTMIN+15 ended the process
            178 | 128 + 50: SIGRTMIN+16 ended the process
            192 | 128 + 64: SIGRTMIN+30 ended the process
            193 | the program's own: no convention gives it a meaning
            203 | systemd: EXIT_EXEC, the service could not be started
            223 | the program's own: no convention gives it a meaning
            245 | systemd: EXIT_BPF, the service could not be started
            254 | the program's own: no convention gives it a meaning
            """)
    void aCodeHasItsUsualMeaning(int code, String headline) {
        assertThat(ExitCodes.of(code).headline()).isEqualTo(headline);
    }

    @Test
    void everyCodeHasAnEntryOfItsOwnNumber() {
        assertThat(ExitCodes.all())
                .extracting(ExitCodes.Code::code)
                .containsExactlyElementsOf(IntStream.rangeClosed(0, 255).boxed().toList());
    }

    @Test
    void everyDetailIsASentence() {
        assertThat(ExitCodes.all())
                .flatExtracting(ExitCodes.Code::details)
                .map(Object::toString)
                .allMatch(detail -> detail.matches("[A-Za-z].*[.]"));
    }

    @Test
    void aKillIsNotBlamedOnTheOomKillerAlone() {
        assertThat(String.join(" ", ExitCodes.of(137).details()))
                .contains("does not say who sent it")
                .contains("OOMKilled in a status is no proof");
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 256})
    void aCodeOutsideOfTheRangeIsRefusedWithTheRange(int code) {
        assertThatThrownBy(() -> ExitCodes.of(code))
                .hasMessage("an exit code is a number from 0 to 255, and not " + code);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 65})
    void aSignalOutsideOfTheRangeIsRefusedWithTheRange(int number) {
        assertThatThrownBy(() -> Signals.of(number))
                .hasMessage("a signal has a number from 1 to 64, and not " + number);
    }
}
