package dev.exit137.oomreport.parse;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/** Published logs of many kernels, kept outside of this repository: in EXIT137_CORPUS or ../shared/oom-corpus. */
public final class Corpus {
    private static final String CONFIGURED = System.getenv("EXIT137_CORPUS");
    private static final Path FOLDER = Path.of(CONFIGURED == null ? "../../shared/oom-corpus" : CONFIGURED);
    private static final String MISSING = "no corpus of published OOM reports at " + FOLDER
            + " (EXIT137_CORPUS names another folder); recorded ones are read";
    private static final AtomicBoolean SAID = new AtomicBoolean();
    private static final Pattern PREFIX = Pattern.compile(
            "^(?:\\d+,\\d+,\\d+,[^;]*;|(?:.*? )?kernel: |)(?:<\\d+>)?(?:\\[[^\\]]*[.:][^\\]]*\\] ?)?(?:\\[ *[TC]\\d+\\] )?");

    private Corpus() {}

    /** The corpus' folder. Skips the test where there is none, and fails it where the one that was named is none. */
    static Path folder() {
        if (!Files.isDirectory(FOLDER)) {
            assertThat(CONFIGURED)
                    .as("%s, the folder of EXIT137_CORPUS", FOLDER)
                    .isNull();
            if (SAID.compareAndSet(false, true)) {
                System.out.println("SKIPPED: " + MISSING);
            }
            Assumptions.abort(MISSING);
        }
        return FOLDER;
    }

    /** All of its logs, the look-alikes included; never none. */
    public static List<Path> logs() {
        try (Stream<Path> files = Files.list(folder())) {
            List<Path> logs = files.filter(file -> file.toString().endsWith(".log"))
                    .sorted()
                    .toList();
            assertThat(logs).as("logs in %s", FOLDER).isNotEmpty();
            return logs;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The messages of a log, without what dmesg, syslog or the journal put before them. */
    static List<String> messages(Path log) {
        return Records.lines(log).stream().map(Corpus::message).toList();
    }

    static String message(String line) {
        return PREFIX.matcher(line).replaceFirst("").stripTrailing();
    }
}
