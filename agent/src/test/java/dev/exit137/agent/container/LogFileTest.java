package dev.exit137.agent.container;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LogFileTest {
    @TempDir
    private Path directory;

    private final List<String> lines = new ArrayList<>();
    private LogFile log;

    private Path path() {
        return directory.resolve("containerd.log");
    }

    private void write(String text) throws IOException {
        Files.writeString(path(), text, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    private void read() throws IOException {
        if (log == null) {
            log = new LogFile(path(), lines::add);
        }
        log.read();
    }

    @AfterEach
    void close() throws IOException {
        if (log != null) {
            log.close();
        }
    }

    @Test
    void eachLineComesOnceAndHalfALineOnlyWhenItIsWhole() throws IOException {
        write("one\ntw");
        read();
        assertThat(lines).containsExactly("one");
        write("o\nthree\n");
        read();
        read();
        assertThat(lines).containsExactly("one", "two", "three");
    }

    @Test
    void aRotationLosesNothingOfTheOldFileNorOfTheNew() throws IOException {
        write("one\n");
        read();
        write("two\n");
        Files.move(path(), directory.resolve("containerd.log.1"));
        write("three\n");
        read();
        assertThat(lines).containsExactly("one", "two", "three");
        write("four\n");
        read();
        assertThat(lines).endsWith("four");
    }

    @Test
    void whileTheNewFileIsNotThereTheOldOneIsReadOn() throws IOException {
        write("one\n");
        read();
        Files.move(path(), directory.resolve("containerd.log.1"));
        Files.writeString(directory.resolve("containerd.log.1"), "two\n", StandardOpenOption.APPEND);
        read();
        assertThat(lines).containsExactly("one", "two");
        write("three\n");
        read();
        assertThat(lines).containsExactly("one", "two", "three");
    }

    @Test
    void aFileThatWasCutIsReadFromItsBeginAndThatIsCounted() throws IOException {
        write("a long first line, half of a second one");
        read();
        Files.writeString(path(), "");
        write("x\n");
        read();
        assertThat(lines).containsExactly("x");
        assertThat(log.truncations()).isEqualTo(1);
    }

    @Test
    void aLineWithoutAnEndIsLeftOutAndTheNextOneIsRead() throws IOException {
        write("one\n" + "x".repeat(3 * LogFile.MAX_LINE_BYTES));
        read();
        write("y".repeat(LogFile.MAX_LINE_BYTES) + "\ntwo\n");
        read();
        assertThat(lines).containsExactly("one", "two");
        assertThat(log.tooLong()).isEqualTo(1);
    }

    @Test
    void ofALongHistoryOnlyTheEndIsReadAndNoHalfLine() throws IOException {
        String line = "z".repeat(1000);
        write((line + "\n").repeat(LogFile.MAX_OLD_BYTES / 1000 + 100));
        read();
        read();
        assertThat(lines).hasSizeLessThan(LogFile.MAX_OLD_BYTES / 1000).allMatch(line::equals);
    }

    @Test
    void aFileThatIsNotThereIsSaidAndReadOnceItIs() throws IOException {
        assertThatThrownBy(this::read).isInstanceOf(NoSuchFileException.class);
        write("one\n");
        read();
        assertThat(lines).containsExactly("one");
    }
}
