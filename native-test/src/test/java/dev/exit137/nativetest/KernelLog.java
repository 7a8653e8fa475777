package dev.exit137.nativetest;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The kernel's log, read from /dev/kmsg by the bed's own reader: the account that does not depend on the agent. */
record KernelLog(List<Line> lines) {
    private static final Pattern RECORD = Pattern.compile("(\\d+),(\\d+),\\d+,[^;]*;(.*)");
    private static final Pattern KILLED = Pattern.compile("Killed process (\\d+) \\(.*\\) total-vm:.*");
    /** {@code [  pid  ]  uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name} */
    private static final Pattern TASK =
            Pattern.compile("\\[ *(\\d+)\\] +\\d+ +\\d+ +\\d+ +(\\d+) +\\d+ +\\d+ +-?\\d+ (.*)");
    /** {@code anon 16736256} */
    private static final Pattern STAT = Pattern.compile("([a-z_]+) (\\d+)");

    private static final Pattern SUMMARY = Pattern.compile("oom-kill:constraint=.*,pid=(\\d+),uid=\\d+");

    /**
     * One record.
     *
     * @param facility 0 for the kernel itself; other values for user space
     */
    record Line(int facility, long sequence, String text) {
        boolean isFromKernel() {
            return facility == 0;
        }
    }

    /** A row of the task table of kernels 4.19 to 6.7. */
    record Task(int pid, long rssPages, String comm) {}

    static KernelLog read(Path file) {
        return new KernelLog(Bed.lines(file).stream()
                .map(RECORD::matcher)
                .filter(Matcher::matches)
                .map(record -> new Line(
                        Integer.parseInt(record.group(1)) >> 3, Long.parseLong(record.group(2)), record.group(3)))
                .toList());
    }

    /** Returns the records between the marks of one scenario. */
    KernelLog during(String scenario) {
        List<String> texts = lines.stream().map(Line::text).toList();
        int begin = texts.indexOf("exit137-bed " + scenario + " begins");
        int end = texts.indexOf("exit137-bed " + scenario + " ends");
        if (begin < 0 || end < begin) {
            throw new AssertionError("the kernel's log lacks the marks of the scenario " + scenario);
        }
        return new KernelLog(lines.subList(begin, end));
    }

    /** Returns the records from a sequence number on. */
    KernelLog from(long sequence) {
        return new KernelLog(
                lines.stream().filter(line -> line.sequence() >= sequence).toList());
    }

    long firstSequence() {
        return lines.getFirst().sequence();
    }

    /** Returns the victims in the order of their records; a group kill's chosen victim comes twice. */
    List<Integer> killedPids() {
        return pids(KILLED);
    }

    /** Returns the victims with a summary line: the rate limit drops others. */
    List<Integer> summaryPids() {
        return pids(SUMMARY);
    }

    /** Returns the rows of the task tables. */
    List<Task> tasks() {
        return texts().map(TASK::matcher)
                .filter(Matcher::matches)
                .map(row -> new Task(Integer.parseInt(row.group(1)), Long.parseLong(row.group(2)), row.group(3)))
                .toList();
    }

    /** Returns the lines below {@code Memory cgroup stats for …} in the log's only report of a memory cgroup. */
    Map<String, Long> memcgStats() {
        return texts().map(STAT::matcher)
                .filter(Matcher::matches)
                .collect(Collectors.toMap(stat -> stat.group(1), stat -> Long.valueOf(stat.group(2))));
    }

    /** Returns the first number in the log that matches the pattern's group. */
    long number(String pattern) {
        Pattern compiled = Pattern.compile(pattern);
        return texts().map(compiled::matcher)
                .filter(Matcher::find)
                .map(match -> Long.valueOf(match.group(1)))
                .findFirst()
                .orElseThrow(() -> new AssertionError("the kernel's log has no " + pattern));
    }

    /** Returns the kernel's messages, line by line: in /dev/kmsg a newline within a record is escaped. */
    private Stream<String> texts() {
        return lines.stream()
                .filter(Line::isFromKernel)
                .flatMap(line -> Stream.of(line.text().split(Pattern.quote("\\x0a"))))
                .map(String::strip);
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
