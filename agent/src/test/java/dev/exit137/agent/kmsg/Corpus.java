package dev.exit137.agent.kmsg;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/** Published logs of many kernels, kept outside of this repository: in EXIT137_CORPUS or ../shared/oom-corpus. */
final class Corpus {
  private static final Pattern PREFIX = Pattern.compile(
      "^(?:\\d+,\\d+,\\d+,[^;]*;|(?:.*? )?kernel: |)(?:<\\d+>)?(?:\\[[^\\]]*[.:][^\\]]*\\] ?)?(?:\\[ *[TC]\\d+\\] )?");

  private Corpus() {}

  /** The corpus' folder. Skips the test where there is none. */
  static Path folder() {
    String configured = System.getenv("EXIT137_CORPUS");
    Path folder = configured == null ? Path.of("../../shared/oom-corpus") : Path.of(configured);
    if (!Files.isDirectory(folder)) {
      String reason = "skipped: no corpus of OOM reports at " + folder + "; EXIT137_CORPUS names another folder";
      System.out.println(reason);
      Assumptions.abort(reason);
    }
    return folder;
  }

  static List<Path> logs() {
    try (Stream<Path> files = Files.list(folder())) {
      return files.filter(file -> file.toString().endsWith(".log")).sorted().toList();
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
