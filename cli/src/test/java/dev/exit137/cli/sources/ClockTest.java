package dev.exit137.cli.sources;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The date comes from the top: else a part of the program could not be tested on any day. */
class ClockTest {
  private static final Path ROOT = Path.of(System.getProperty("exit137.root")).normalize();

  /** Where a process begins; each is handed on from there. */
  private static final List<String> COMPOSITION_ROOTS =
      List.of(
          "cli/src/main/java/dev/exit137/cli/terminal/Terminal.java",
          "daemon/src/main/java/dev/exit137/daemon/log/ProgramLog.java");

  // A time that is made of something, such as Instant.ofEpochSecond(seconds), is no clock.
  private static final Pattern SYSTEM_CLOCK =
      Pattern.compile(
          "\\b(Instant|LocalDate|LocalTime|LocalDateTime|OffsetDateTime|OffsetTime|ZonedDateTime|Year|YearMonth|MonthDay)"
              + "(\\.|::)now\\b(?!\\([^)])"
              + "|\\bSystem(\\.|::)currentTimeMillis\\b"
              + "|\\bInstantSource(\\.|::)system\\b"
              + "|\\bClock(\\.|::)(system|tick)[A-Z]"
              + "|\\bnew Date\\(\\)|\\bDate::new\\b"
              + "|\\bCalendar(\\.|::)getInstance\\b|\\bnew GregorianCalendar\\(\\)");

  @Test
  void onlyTheCompositionRootsReadTheSystemsClock() throws IOException {
    List<Path> readers = sources().filter(ClockTest::readsTheSystemsClock).map(ROOT::relativize).sorted().toList();
    assertThat(readers).map(Path::toString).containsExactlyElementsOf(COMPOSITION_ROOTS);
  }

  @ParameterizedTest
  @ValueSource(strings = {
      "Instant.now()", "Instant::now", "LocalDate.now()", "java.time.ZonedDateTime.now()", "System.currentTimeMillis()",
      "System::currentTimeMillis", "InstantSource.system()", "Clock.systemUTC()", "Clock.systemDefaultZone()",
      "Clock.tickSeconds(zone)", "new Date()", "Date::new", "Calendar.getInstance()"})
  void aReaderOfTheSystemsClockIsSeen(String source) {
    assertThat(SYSTEM_CLOCK.matcher("    var time = " + source + ";").find()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {
      "kernelClock.now()", "Instant.now(clock)", "System.nanoTime()", "new Date(millis)", "clock.instant()",
      "Instant.ofEpochSecond(1)", "InstantSource clock"})
  void aTimeThatIsHandedOnIsNone(String source) {
    assertThat(SYSTEM_CLOCK.matcher("    var time = " + source + ";").find()).isFalse();
  }

  /** What every module ships. */
  private static Stream<Path> sources() throws IOException {
    List<Path> modules;
    try (Stream<Path> directories = Files.list(ROOT)) {
      modules = directories.map(directory -> directory.resolve("src/main/java")).filter(Files::isDirectory).toList();
    }
    return modules.stream().flatMap(ClockTest::files);
  }

  private static Stream<Path> files(Path directory) {
    try (Stream<Path> files = Files.walk(directory)) {
      return files.filter(file -> file.toString().endsWith(".java")).toList().stream();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean readsTheSystemsClock(Path source) {
    try {
      return SYSTEM_CLOCK.matcher(Files.readString(source)).find();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
