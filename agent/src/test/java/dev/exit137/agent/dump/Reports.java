package dev.exit137.agent.dump;

import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Victim;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/** Reports for tests, as latin-1 strings: one char is one byte. */
final class Reports {
  private static final Path FIXTURES = Path.of("src/test/resources/kmsg");

  private Reports() {}

  static Incident read(String... lines) {
    return read(OptionalLong.empty(), Victim.getDefaultInstance(), lines);
  }

  static Incident read(OptionalLong pageSizeBytes, Victim victim, String... lines) {
    DumpParser parser = new DumpParser(pageSizeBytes);
    for (String line : lines) {
      offer(parser, line);
    }
    return incident(parser, victim);
  }

  static Incident incident(DumpParser parser, Victim victim) {
    Incident.Builder incident = Incident.newBuilder();
    parser.addTo(incident, victim);
    return incident.build();
  }

  static boolean offer(DumpParser parser, String line) {
    byte[] bytes = bytes(line);
    return parser.onLine(bytes, 0, bytes.length);
  }

  static byte[] bytes(String latin1) {
    return latin1.getBytes(StandardCharsets.ISO_8859_1);
  }

  /** The messages of the records that one of our kernels printed. */
  static List<String> fixture(String name) {
    return lines(FIXTURES.resolve(name)).stream()
        .filter(line -> line.matches("\\d+,\\d+,\\d+,.*"))
        .map(line -> line.substring(line.indexOf(';') + 1))
        .toList();
  }

  static Incident readFixture(String name) {
    DumpParser parser = new DumpParser(OptionalLong.empty());
    byte[] text = bytes(String.join("\n", fixture(name)));
    parser.onText(text, text.length);
    return incident(parser, Victim.getDefaultInstance());
  }

  static List<String> lines(Path file) {
    try {
      return Files.readAllLines(file, StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Published logs of many kernels, in EXIT137_CORPUS or ../shared/oom-corpus. Skips the test where there are none. */
  static List<Path> corpus() {
    String configured = System.getenv("EXIT137_CORPUS");
    Path folder = configured == null ? Path.of("../../shared/oom-corpus") : Path.of(configured);
    if (!Files.isDirectory(folder)) {
      String reason = "skipped: no corpus of OOM reports at " + folder + "; EXIT137_CORPUS names another folder";
      System.out.println(reason);
      Assumptions.abort(reason);
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.getFileName().toString().matches("\\d.*\\.log")).sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The lines of a log, cut where another report begins. */
  static List<List<String>> reports(Path log) {
    List<List<String>> reports = new ArrayList<>();
    reports.add(new ArrayList<>());
    for (String line : lines(log)) {
      if (line.contains("invoked oom-killer")) {
        reports.add(new ArrayList<>());
      }
      reports.getLast().add(line);
    }
    return reports;
  }

  /** Offers a line of a log from where it begins and from behind whatever may be a prefix, until it is taken. */
  static boolean offerFromAnywhere(DumpParser parser, String line) {
    byte[] bytes = bytes(line);
    for (int i = 0; i < bytes.length; i++) {
      boolean afterPrefix = i == 0
          || bytes[i - 1] == ' ' || bytes[i - 1] == ']' || bytes[i - 1] == ';' || bytes[i - 1] == '>';
      if (afterPrefix && parser.onLine(bytes, i, bytes.length)) {
        return true;
      }
    }
    return false;
  }
}
