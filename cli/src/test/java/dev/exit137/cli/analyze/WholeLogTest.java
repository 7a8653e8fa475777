package dev.exit137.cli.analyze;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.cli.analyze.Report.Line;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Logs as they are: long, cut, mixed, written twice. */
class WholeLogTest {
    private static final String HEAD = "java invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0\n";
    private static final String KILL =
            "Killed process %d (java) total-vm:7169492kB, anon-rss:7165824kB, file-rss:956kB, "
                    + "shmem-rss:0kB, UID:0 pgtables:14076kB oom_score_adj:0";

    private static String report(String prefix, int pid, String cgroup) {
        return String.join(
                        "\n" + prefix,
                        prefix + "java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
                        "CPU: 1 PID: " + pid + " Comm: java Not tainted 5.15.0-1087-azure #96-Ubuntu",
                        "memory: usage 65536kB, limit 65536kB, failcnt 7",
                        "Tasks state (memory values in pages):",
                        "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
                        "[%7d]     0 %5d   655928   126942  5226496        0             0 java".formatted(pid, pid),
                        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg="
                                + cgroup + ",task_memcg=" + cgroup + ",task=java,pid=" + pid + ",uid=0",
                        "Memory cgroup out of memory: " + KILL.formatted(pid))
                + "\n";
    }

    private static String interleaved(String one, String other) {
        List<String> lines = new ArrayList<>();
        String[] first = one.split("\n");
        String[] second = other.split("\n");
        for (int i = 0; i < first.length; i++) {
            lines.add(first[i]);
            lines.add(second[i]);
        }
        return String.join("\n", lines) + "\n";
    }

    private static void assertBothWhole(List<OomKillEvent> events) {
        assertThat(events).extracting(event -> event.getVictim().getPid()).containsExactlyInAnyOrder(7, 8);
        for (OomKillEvent event : events) {
            int pid = event.getVictim().getPid();
            assertThat(event.getIncident().getOomMemcg()).isEqualTo("/of-" + pid);
            assertThat(event.getIncident().getTrigger().getPid()).isEqualTo(pid);
            assertThat(event.getIncident().getTasksList()).extracting("pid").containsExactly(pid);
        }
    }

    @Test
    void reportsOfTwoTasksThatPrintAtOnceAreKeptApart() {
        String log =
                interleaved(report("[   12.000001][ T7] ", 7, "/of-7"), report("[   12.000002][ T8] ", 8, "/of-8"));
        assertBothWhole(Analysis.events(log));
    }

    @Test
    void reportsOfTwoHostsInACentralLogAreKeptApart() {
        String log = interleaved(
                report("May  3 12:00:00 web-1 kernel: ", 7, "/of-7"),
                report("May  3 12:00:00 web-2 kernel: [ 99.000002] ", 8, "/of-8"));
        assertBothWhole(Analysis.events(log));
        assertThat(Analysis.events(log))
                .extracting(event -> event.getNode().getName())
                .containsExactlyInAnyOrder("web-1", "web-2");
    }

    @Test
    void aLogLevelInPlaceOfAHostDoesNotTearAReportApart() {
        String log = report("2024-05-03T12:00:00Z INFO kernel: ", 7, "/of-7").replaceFirst("INFO", "warning");
        assertThat(Analysis.events(log))
                .singleElement()
                .satisfies(event -> assertThat(event.getIncident().hasTrigger()).isTrue());
    }

    @Test
    void moreReportsAtOnceThanAreKeptOpenAreEachToldOfOnce() {
        StringBuilder heads = new StringBuilder();
        for (int i = 0; i < 100; i++) {
            heads.append("[   12.000001][ T%d] ".formatted(i)).append(HEAD.replace("java", "java" + i));
        }
        assertThat(Analysis.events(heads.toString()))
                .hasSize(100)
                .allMatch(event -> event.getOutcome() == Outcome.KILL_NOT_SEEN)
                .extracting(event -> event.getIncident().getTrigger().getComm())
                .doesNotHaveDuplicates();
    }

    @Test
    void aKillLongAfterAHeadWithoutOneIsAnother() {
        String kill = "Out of memory: " + KILL.formatted(7);
        List<OomKillEvent> events = Analysis.events("[   12.000000] " + HEAD + "[ 3612.000000] " + kill);
        assertThat(events).extracting(OomKillEvent::getOutcome).containsExactly(Outcome.KILL_NOT_SEEN, Outcome.KILLED);
        assertThat(events.getLast().getIncident().hasTrigger()).isFalse();
        // By the printed time, where the kernel's is not there.
        assertThat(Analysis.events("May  3 12:00:00 h kernel: " + HEAD + "May  3 13:00:00 h kernel: " + kill))
                .hasSize(2);
        // And over midnight.
        assertThat(Analysis.events("May  3 23:59:59 h kernel: " + HEAD + "May  4 00:00:01 h kernel: " + kill))
                .hasSize(1);
    }

    @Test
    void aNewBootEndsAReport() {
        String log = "[ 9912.000000] " + HEAD + "[   12.000000] Out of memory: " + KILL.formatted(7) + "\n";
        assertThat(Analysis.events(log)).hasSize(2);
    }

    @Test
    void aLineThatTwoCollectorsWroteIsOneKillAndTheSameLogGivesTheSameIds() {
        String line = "[   12.000000] Out of memory: " + KILL.formatted(7) + "\n";
        List<OomKillEvent> events = Analysis.events(line + line);
        assertThat(events).hasSize(1);
        assertThat(events.getFirst().getIncident().getRepeatedKillRecords()).isZero();
        assertThat(Analysis.events("something else\n" + line)).isEqualTo(events);
        assertThat(events.getFirst().getEventId()).matches("log/[0-9a-f]{16}");
        assertThat(events.getFirst().getIncident().getId()).matches("log/incident/[0-9a-f]{16}");
    }

    @Test
    void reportsThatTheKernelLeftOutAreCountedBeforeTheNext() {
        List<AnalyzedIncident> incidents =
                Analysis.incidents("[   11.000000] oom_kill_process: 70 callbacks suppressed\n"
                        + report("[   12.000000] ", 7, "/a") + report("[   13.000000] ", 8, "/b"));
        assertThat(incidents).extracting(AnalyzedIncident::reportsSuppressed).containsExactly(70L, 0L);
    }

    @Test
    void anotherAllocationsFailureIsNoPartOfAKillThatFollows() {
        String log =
                "[   12.000000] kswapd0: page allocation failure: order:0, mode:0xcc0(GFP_KERNEL), nodemask=(null)\n"
                        + "[   12.000001] Mem-Info:\n[   12.000002] Node 0 DMA free:80kB min:10kB low:20kB high:30kB\n"
                        + "[   12.000003] Memory cgroup out of memory: " + KILL.formatted(7) + "\n";
        assertThat(Analysis.events(log))
                .singleElement()
                .satisfies(
                        event -> assertThat(event.getIncident().hasNodeMemory()).isFalse());
    }

    @Test
    void timesAreInstantsOnlyWhereNothingIsGuessed() {
        String kill = "Out of memory: " + KILL.formatted(7);
        AnalyzedIncident local = Analysis.incidents("x\nMay  3 12:00:00 web-1 kernel: [   12.345678] " + kill)
                .getFirst();
        assertThat(local.printedTime()).isEqualTo("May  3 12:00:00");
        assertThat(local.firstLine()).isEqualTo(2);
        assertThat(local.events().getFirst().hasTime()).isFalse();
        assertThat(local.events().getFirst().getKernelTime().getNanos()).isEqualTo(345_678_000);
        assertThat(local.events().getFirst().hasObservedTime()).isFalse();

        for (String stamp : List.of(
                "2024-05-03T12:00:00.5+02:00 h kernel: ",
                "2024-05-03T12:00:00,500000+0200 ",
                "2024-05-03T10:00:00.5Z h kernel: ",
                "10.0.0.1: kern: info: [2024-05-03T10:00:00.500Z]: ")) {
            OomKillEvent event = Analysis.events(stamp + kill).getFirst();
            assertThat(Instant.ofEpochSecond(
                            event.getTime().getSeconds(), event.getTime().getNanos()))
                    .as(stamp)
                    .isEqualTo("2024-05-03T10:00:00.500Z");
        }
        for (String stamp : List.of(
                "2024-05-03T12:00:00 h kernel: ", "[Fri Sep 25 15:29:47 2020] ", "2024-02-31T12:00:00Z h kernel: ")) {
            assertThat(Analysis.events(stamp + kill).getFirst().hasTime())
                    .as(stamp)
                    .isFalse();
        }
        assertThat(Analysis.incidents("[   12.345678] " + kill).getFirst().printedTime())
                .isEqualTo("12.345678");
        assertThat(Analysis.incidents("[Fri Sep 25 15:29:47 2020] " + kill)
                        .getFirst()
                        .printedTime())
                .isEqualTo("Fri Sep 25 15:29:47 2020");
    }

    /** What is cut away may be missing; nothing else may come in its place. */
    @ParameterizedTest
    @CsvSource({"uml-6.1-memcg.kmsg, 1", "uml-6.1-group.kmsg, 5", "debian-6.1-global-swap.kmsg, 7"})
    void aLogCutAnywhereNamesNoOtherVictims(String fixture, int step) {
        StringBuilder dmesg = new StringBuilder();
        for (Line line : Report.of(fixture).apart().lines()) {
            dmesg.append('[')
                    .append(line.seconds())
                    .append("] ")
                    .append(line.text())
                    .append('\n');
        }
        String log = dmesg.toString();
        Set<String> whole = victims(log);
        for (int i = 0; i < log.length(); i += step) {
            assertThat(whole).containsAll(victims(log.substring(0, i)));
            assertThat(whole).containsAll(victims(log.substring(i)));
        }
    }

    private static Set<String> victims(String log) {
        return Analysis.events(log).stream()
                .filter(event -> event.getOutcome() == Outcome.KILLED)
                .map(event -> event.getVictim().getPid() + event.getVictim().getComm())
                .collect(Collectors.toSet());
    }

    @Test
    void damagedBytesMakeNeitherAnExceptionNorAPidThatIsNotThere() {
        byte[] log = (report("[   12.000001][ T7] ", 4711, "/a")
                        + Report.raw("uml-6.1-global.kmsg")
                        + report("May  3 12:00:00 h kernel: ", 815, "/b"))
                .getBytes(ISO_8859_1);
        Random random = new Random(137);
        for (int round = 0; round < 1000; round++) {
            byte[] damaged = log.clone();
            for (int i = random.nextInt(20); i >= 0; i--) {
                int at = random.nextInt(damaged.length);
                switch (random.nextInt(3)) {
                    case 0 -> damaged[at] = (byte) random.nextInt(256);
                    case 1 -> damaged[at] = (byte) "\n\r\0[]<>;:,\u001b #\"".charAt(random.nextInt(14));
                    default -> {
                        int length = Math.min(random.nextInt(200), damaged.length - Math.max(at, 0));
                        System.arraycopy(damaged, at, damaged, random.nextInt(damaged.length - length + 1), length);
                    }
                }
            }
            String text = new String(damaged, ISO_8859_1);
            for (int pid : Analysis.victims(events(damaged, 1 << 14))) {
                assertThat(text).contains("process " + pid);
            }
        }
    }

    private static List<OomKillEvent> events(byte[] log, int bufferBytes) {
        return Analysis.incidents(log, bufferBytes).stream()
                .flatMap(incident -> incident.events().stream())
                .toList();
    }

    @Test
    void theBuffersSizeChangesNothingAsLongAsALineFits() {
        byte[] log = (Report.raw("uml-6.1-global.kmsg") + "no newline at the end").getBytes(ISO_8859_1);
        List<OomKillEvent> expected = events(log, 1 << 20);
        for (int size : List.of(2048, 2049, 3000, 4096, log.length - 1, log.length, log.length + 1)) {
            assertThat(events(log, size)).as("%d bytes", size).isEqualTo(expected);
        }
    }

    @Test
    void ofALineWithoutEndTheBeginningIsReadAndTheNextLineIsNotLost() throws IOException {
        byte[] junk = new byte[5000];
        Arrays.fill(junk, (byte) 'x');
        String log = "[   12.000000] Out of memory: " + KILL.formatted(7) + new String(junk, ISO_8859_1)
                + "\n[   50.000000] Out of memory: " + KILL.formatted(8) + "\n";
        List<AnalyzedIncident> incidents = new ArrayList<>();
        LogCorrelator correlator = new LogCorrelator(incidents::add);
        LogReader reader = new LogReader(correlator, 1024);
        reader.read(new ByteArrayInputStream(log.getBytes(ISO_8859_1)));
        correlator.close();
        assertThat(incidents)
                .extracting(incident -> incident.events().getFirst().getVictim().getPid())
                .containsExactly(7, 8);
        assertThat(incidents.getLast().firstLine()).isEqualTo(2);
        assertThat(reader.linesCut()).isEqualTo(1);
        assertThat(reader.lineCount()).isEqualTo(2);
        assertThat(reader.bytes()).isEqualTo(log.length());
    }

    /** 100 MB of ordinary lines with a report now and then, made up as they are read. */
    @Test
    void aLogOfAnySizeIsReadInConstantMemory() throws IOException {
        byte[] ordinary =
                "[   99.123456] usb 1-1.2: New USB device found, idVendor=0781, idProduct=5583, bcdDevice= 1.00\n"
                        .repeat(5000)
                        .getBytes(ISO_8859_1);
        byte[] report = report("[   12.000000] ", 7, "/a").getBytes(ISO_8859_1);
        int rounds = 200;
        AtomicLong kills = new AtomicLong();
        LogCorrelator correlator =
                new LogCorrelator(incident -> kills.addAndGet(incident.events().size()));
        LogReader reader = new LogReader(correlator);
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();
        reader.read(new InputStream() {
            private int round;
            private int at;

            @Override
            public int read() {
                throw new UnsupportedOperationException();
            }

            @Override
            public int read(byte[] buffer, int offset, int length) {
                byte[] source = round % 2 == 0 ? ordinary : report;
                int count = Math.min(length, source.length - at);
                System.arraycopy(source, at, buffer, offset, count);
                at += count;
                if (at == source.length) {
                    at = 0;
                    round++;
                }
                return round == 2 * rounds ? -1 : count;
            }
        });
        correlator.close();
        assertThat(kills.get()).isGreaterThan(rounds - 2);
        // What a report's events are made of, and nothing for the lines between them.
        assertThat((threads.getCurrentThreadAllocatedBytes() - before) / rounds).isLessThan(200_000);
    }

    @Test
    void aGroupKillWithoutEndIsToldOfInPieces() {
        StringBuilder log = new StringBuilder("Memory cgroup out of memory: " + KILL.formatted(1) + "\n"
                + "Tasks in /a are going to be killed due to memory.oom.group set\n");
        for (int pid = 2; pid <= 5000; pid++) {
            log.append("Memory cgroup out of memory: ")
                    .append(KILL.formatted(pid))
                    .append('\n');
        }
        List<AnalyzedIncident> incidents = Analysis.incidents(log.toString());
        assertThat(incidents).flatExtracting(AnalyzedIncident::events).hasSize(5000);
        assertThat(incidents)
                .extracting(incident -> incident.events().size())
                .contains(1024)
                .allMatch(size -> size <= 1024);
    }
}
