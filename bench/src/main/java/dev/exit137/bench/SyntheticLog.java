package dev.exit137.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/**
 * Generates a kernel log of many days, the same at each run. 99 % of its bytes are ordinary lines of many drivers. 1 %
 * are whole OOM reports of kernels 3.10 to 6.18, of containers and of nodes with a realistic number of processes; each
 * report has its own victim. The first half is in the format of syslog, the second in the format of dmesg.
 */
final class SyntheticLog {
    /** Ordinary messages; each # stands for a digit. */
    private static final List<String> ORDINARY = resource("ordinary.txt");

    private static final double REPORTS_SHARE = 0.01;
    private static final int NODE_PROCESSES = 150;
    private static final int FIRST_PID = 10_000;
    private static final int MAX_MICROS_BETWEEN_MESSAGES = 150_000;

    private static final List<String> COMMS =
            List.of("java", "python3", "node", "mysqld", "postgres", "redis-server", "CPU 0/KVM", "runc:[2:INIT]");
    private static final Pattern KMSG_PREFIX = Pattern.compile("^\\d+,\\d+,\\d+,[^;]*;");
    /** A row of a task table: [    680]     0   680      242       12    16384        0             0 kmsgtail */
    private static final Pattern OTHER_PROCESS = Pattern.compile("^\\[ +(\\d{3})\\] +\\d+ +\\1 ");

    private static final Pattern KILLED = Pattern.compile("Killed process (\\d+) \\((.+?)\\) total-vm:");

    /** A report's messages, with PID and COMM in place of the victim's values. */
    private record Report(List<String> messages) {
        private static final char PID = '\1';
        private static final char COMM = '\2';

        static Report of(List<String> kmsg) {
            List<String> messages = kmsg.stream()
                    .filter(record -> KMSG_PREFIX.matcher(record).find())
                    .map(SyntheticLog::message)
                    .toList();
            Matcher killed = KILLED.matcher(String.join("\n", messages));
            if (!killed.find()) {
                throw new IllegalArgumentException("a report without a kill: " + messages.getFirst());
            }
            String pid = killed.group(1);
            String comm = Pattern.quote(killed.group(2));
            return new Report(withOtherProcesses(messages, pid).stream()
                    .map(message -> message.replaceAll("(?<![\\w.:-])" + pid + "(?![\\w.:-])", String.valueOf(PID))
                            .replaceAll("(\\(|task=|Comm: |^|\\] .* )" + comm + "(?=[), ]|$)", "$1" + COMM))
                    .toList());
        }

        /** Adds processes to the task table, because the test kernels ran only a few. */
        private static List<String> withOtherProcesses(List<String> messages, String victim) {
            List<String> more = new ArrayList<>();
            for (int i = 0; i < messages.size(); i++) {
                String row = messages.get(i);
                Matcher process = OTHER_PROCESS.matcher(row);
                if (process.find() && !process.group(1).equals(victim)) {
                    IntStream.range(100, 100 + NODE_PROCESSES)
                            .mapToObj(other -> row.replace(process.group(1), String.valueOf(other)))
                            .forEach(more::add);
                    more.addAll(messages.subList(i, messages.size()));
                    return more;
                }
                more.add(row);
            }
            return messages;
        }

        List<String> of(int pid, String comm) {
            return messages.stream()
                    .map(message -> message.replace(String.valueOf(PID), String.valueOf(pid))
                            .replace(String.valueOf(COMM), comm))
                    .toList();
        }
    }

    private final SplittableRandom random = new SplittableRandom(137);
    private final List<Report> reports;
    private long micros = 1_000_000;
    private int kills;

    /** @param fixtures the directory of the reports that the project's own test kernels printed */
    SyntheticLog(Path fixtures) throws IOException {
        reports = new ArrayList<>();
        for (String name : List.of("host-6.18-v1-memcg.kmsg", "uml-6.1-global.kmsg", "uml-6.1-memcg.kmsg")) {
            reports.add(Report.of(Files.readAllLines(fixtures.resolve(name))));
        }
        reports.add(Report.of(resource("linux-4.14-memcg.kmsg")));
        reports.add(Report.of(resource("linux-3.10-global.kmsg")));
    }

    /** Returns the ordinary messages, with digits filled in. */
    static List<String> ordinaryMessages() {
        SplittableRandom random = new SplittableRandom(137);
        return ORDINARY.stream().map(message -> withDigits(message, random)).toList();
    }

    /** Returns the message of a record of /dev/kmsg. */
    static String message(String kmsg) {
        return KMSG_PREFIX.matcher(kmsg).replaceFirst("");
    }

    /** Writes a log of that size, exceeded by one report at most. Returns the number of kills in it. */
    int write(Path file, long bytes) throws IOException {
        long written = 0;
        double reportBytes = 0;
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), 1 << 20)) {
            while (written < bytes) {
                boolean syslog = written < bytes / 2;
                if (reportBytes < REPORTS_SHARE * written) {
                    long before = written;
                    Report report = reports.get(kills % reports.size());
                    for (String message : report.of(FIRST_PID + kills, COMMS.get(kills % COMMS.size()))) {
                        micros += random.nextInt(20);
                        written += writeLine(out, syslog, message);
                    }
                    kills++;
                    reportBytes += written - before;
                } else {
                    micros += random.nextInt(MAX_MICROS_BETWEEN_MESSAGES);
                    written +=
                            writeLine(out, syslog, withDigits(ORDINARY.get(random.nextInt(ORDINARY.size())), random));
                }
            }
        }
        return kills;
    }

    private int writeLine(OutputStream out, boolean syslog, String message) throws IOException {
        long seconds = micros / 1_000_000;
        String fraction = String.valueOf(1_000_000 + micros % 1_000_000).substring(1);
        String padding = " ".repeat(Math.max(0, 5 - String.valueOf(seconds).length()));
        String line = (syslog ? syslogPrefix(seconds) : "") + '[' + padding + seconds + '.' + fraction + "] " + message
                + '\n';
        byte[] bytes = line.getBytes(UTF_8);
        out.write(bytes);
        return bytes.length;
    }

    /** The log begins on 1 November and covers less than a month. */
    private static String syslogPrefix(long seconds) {
        return "Nov " + padded(1 + seconds / 86_400, ' ') + ' ' + padded(seconds / 3600 % 24, '0') + ':'
                + padded(seconds / 60 % 60, '0') + ':' + padded(seconds % 60, '0') + " node-7 kernel: ";
    }

    private static String padded(long number, char padding) {
        return number < 10 ? String.valueOf(padding) + number : String.valueOf(number);
    }

    private static String withDigits(String message, SplittableRandom random) {
        char[] characters = message.toCharArray();
        for (int i = 0; i < characters.length; i++) {
            if (characters[i] == '#') {
                characters[i] = (char) ('0' + random.nextInt(10));
            }
        }
        return new String(characters);
    }

    private static List<String> resource(String name) {
        try (InputStream in = SyntheticLog.class.getResourceAsStream(name)) {
            return new String(in.readAllBytes(), UTF_8).lines().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
