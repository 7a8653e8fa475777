package dev.exit137.nativetest;

import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The kernel's log as the bed's own reader took it from /dev/kmsg: the account that the agent has no part in. */
record KernelLog(List<Line> lines) {
  private static final Pattern RECORD = Pattern.compile("(\\d+),(\\d+),\\d+,[^;]*;(.*)");
  private static final Pattern KILLED = Pattern.compile("Killed process (\\d+) \\(.*\\) total-vm:.*");
  private static final Pattern SUMMARY = Pattern.compile("oom-kill:constraint=.*,pid=(\\d+),uid=\\d+");

  /**
   * One record.
   *
   * @param facility 0 is the kernel itself; everybody else's is not
   */
  record Line(int facility, long sequence, String text) {
    boolean isFromKernel() {
      return facility == 0;
    }
  }

  static KernelLog read(Path file) {
    return new KernelLog(Bed.lines(file).stream()
        .map(RECORD::matcher)
        .filter(Matcher::matches)
        .map(record -> new Line(
            Integer.parseInt(record.group(1)) >> 3, Long.parseLong(record.group(2)), record.group(3)))
        .toList());
  }

  /** What was printed between the marks of one scenario. */
  KernelLog during(String scenario) {
    List<String> texts = lines.stream().map(Line::text).toList();
    int begin = texts.indexOf("exit137-bed " + scenario + " begins");
    int end = texts.indexOf("exit137-bed " + scenario + " ends");
    if (begin < 0 || end < begin) {
      throw new AssertionError("the kernel's log lacks the marks of the scenario " + scenario);
    }
    return new KernelLog(lines.subList(begin, end));
  }

  /** What was printed from a record on. */
  KernelLog from(long sequence) {
    return new KernelLog(lines.stream().filter(line -> line.sequence() >= sequence).toList());
  }

  long firstSequence() {
    return lines.getFirst().sequence();
  }

  /** Victims in the order of their records; a group kill's chosen victim comes twice. */
  List<Integer> killedPids() {
    return pids(KILLED);
  }

  /** Victims for which the rate limit let the summary line pass. */
  List<Integer> summaryPids() {
    return pids(SUMMARY);
  }

  private List<Integer> pids(Pattern pattern) {
    return lines.stream()
        .filter(Line::isFromKernel)
        .map(line -> pattern.matcher(line.text()))
        .filter(Matcher::find)
        .map(match -> Integer.valueOf(match.group(1)))
        .toList();
  }
}
