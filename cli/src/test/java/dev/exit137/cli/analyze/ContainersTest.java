package dev.exit137.cli.analyze;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.cli.analyze.Report.Line;
import dev.exit137.proto.v1.OomKillEvent;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Whoever wrote a report down, and whatever that put before its lines, it says the same. */
class ContainersTest {
    private static final List<String> FIXTURES = List.of(
            "uml-6.1-memcg.kmsg",
            "uml-6.1-group.kmsg",
            "uml-6.1-global.kmsg",
            "uml-6.1-names.kmsg",
            "uml-6.1-storm.kmsg",
            "debian-6.1-cpuset.kmsg",
            "debian-6.1-mempolicy.kmsg",
            "debian-6.1-sysrq.kmsg",
            "debian-6.1-no-killable.kmsg",
            "debian-6.1-v1-memsw.kmsg",
            "host-6.18-v1-memcg.kmsg");

    private static final Map<String, Function<Line, String>> CONTAINERS = containers();

    private static Map<String, Function<Line, String>> containers() {
        Map<String, Function<Line, String>> all = new LinkedHashMap<>();
        all.put("dmesg", line -> line.stamped());
        all.put("dmesg, printk.caller", line -> "[" + line.seconds() + "][ T4321] " + line.text());
        all.put("dmesg of util-linux, printk.caller", line -> "[" + line.seconds() + "] [ T4321] " + line.text());
        all.put("a vendor's processor number", line -> "[" + line.seconds() + "][ 3] " + line.text());
        all.put(
                "Android, Samsung's",
                line -> "<" + line.level() + ">[" + line.seconds() + "]  [4:  kworker/u16:1: 1234] " + line.text());
        all.put("Android, MediaTek's", line -> "[" + line.seconds() + "]  (2)[1234:HeapTaskDaemon]" + line.text());
        all.put("dmesg -r", line -> "<" + line.level() + ">" + line.stamped());
        all.put("dmesg -x", line -> "kern  :warn  : " + line.stamped());
        all.put("dmesg -T", line -> "[Fri Sep  4 15:29:47 2020] " + line.text());
        all.put("dmesg -T, German", line -> "[Di Aug 12 03:54:03 2025] " + line.text());
        all.put("dmesg -T, Japanese", line -> "[\u91d1  9\u6708  4 15:29:47 2020] " + line.text());
        all.put("dmesg --time-format iso", line -> "2024-05-03T12:00:00,123456+02:00 " + line.text());
        all.put("dmesg --reltime", line -> "[  +0.000010] " + line.text());
        all.put("dmesg --reltime, first of a minute", line -> "[May 3 12:00] " + line.text());
        all.put("dmesg -d", line -> "[" + line.seconds() + " <    0.000010>] " + line.text());
        all.put(
                "dmesg, coloured",
                line -> "\u001b[32m" + line.stamped().replace("] ", "] \u001b[0m\u001b[31;1m") + "\u001b[0m");
        all.put("dmesg -t, journalctl -o cat", Line::text);
        all.put("journalctl -k", line -> "Nov 21 14:22:56 node-7 kernel: " + line.text());
        all.put("journalctl --no-hostname", line -> "Nov 21 14:22:56 kernel: " + line.text());
        all.put("journalctl, the time cut off", line -> "kernel: " + line.text());
        all.put("journalctl -o short-iso", line -> "2024-05-03T12:00:00+0200 node-7 kernel: " + line.text());
        all.put("journalctl -o short-monotonic", line -> "[" + line.seconds() + "] node-7 kernel: " + line.text());
        all.put("journalctl -o short-full", line -> "Fri 2024-05-03 12:00:00 CEST node-7 kernel: " + line.text());
        all.put("journalctl -o short-unix", line -> "1714734000.123456 node-7 kernel: " + line.text());
        all.put("journalctl -o verbose", line -> "    MESSAGE=" + line.text());
        all.put("syslog", line -> "Sep  4 15:29:47 node-7 kernel: " + line.stamped());
        all.put("syslog, Cyrillic", line -> "\u0430\u043f\u0440 28 01:23:30 PC kernel: " + line.text());
        all.put("rsyslog's ISO times", line -> "2024-05-03T12:00:00.123456+02:00 node-7 kernel: " + line.stamped());
        all.put("RFC 3164", line -> "<" + line.level() + ">May  3 12:00:00 node-7 kernel: " + line.stamped());
        all.put(
                "RFC 5424",
                line -> "<" + line.level() + ">1 2024-05-03T12:00:00.123Z node-7 kernel - - - " + line.stamped());
        all.put("a syslog that numbers the kernel, too", line -> "May  3 12:00:00 node-7 kernel[0]: " + line.text());
        all.put("OpenWrt's logread", line -> "Mon Apr 12 18:29:48 2021 kern.warn kernel: " + line.stamped());
        all.put(
                "talosctl dmesg",
                line -> "10.200.70.91: kern:    info: [2026-01-12T20:27:31.913975631Z]: " + line.text());
        all.put(
                "VMware's log of the guest",
                line -> "2023-12-04T10:49:30.106Z In(05) vcpu-5 - Guest: <4>" + line.stamped());
        all.put("kubectl logs --timestamps", line -> "2024-05-03T12:00:00.123456789Z " + line.stamped());
        all.put("a container's log", line -> "2024-05-03T12:00:00.123456789Z stdout F " + line.stamped());
        all.put("docker compose", line -> "collector-1  | " + line.stamped());
        all.put("a mail", line -> "> > " + line.stamped());
        all.put("a mail of a bare report", line -> "> " + line.text());
        all.put("an indented quote", line -> "    " + line.stamped());
        all.put("a copy without the first bracket", line -> line.seconds().strip() + "] " + line.text());
        all.put("a serial console", line -> "Creating journal (131072 blocks): " + line.stamped());
        all.put("a file with CRLF", line -> line.stamped() + "\r");
        all.put("lines that a pager padded", line -> line.stamped() + "     ");
        return all;
    }

    @TestFactory
    Stream<DynamicTest> everyContainerGivesTheSameEvents() {
        return CONTAINERS.entrySet().stream()
                .map(container -> DynamicTest.dynamicTest(container.getKey(), () -> {
                    for (String fixture : FIXTURES) {
                        String log = render(Report.of(fixture).apart(), container.getValue());
                        assertThat(facts(log)).as(fixture).isEqualTo(facts(Report.raw(fixture)));
                    }
                }));
    }

    /** Several lines in one record: rsyslog's #012, and what collectors of /dev/kmsg leave as it is. */
    @Test
    void linesThatACollectorJoinedAreTakenApart() {
        for (String fixture : FIXTURES) {
            List<String> expected = facts(Report.raw(fixture));
            Function<Line, String> syslog = line -> "Sep  4 15:29:47 node-7 kernel: " + line.stamped();
            String joined = render(Report.of(fixture), syslog);
            assertThat(facts(joined)).as(fixture).isEqualTo(expected);
            assertThat(facts(joined.replaceAll("(?m)(active_anon:.*)$", "$1").replace("\\x0a", "#012")))
                    .as(fixture)
                    .hasSameSizeAs(expected);
        }
    }

    @Test
    void aRecordsDictionaryIsNoPartOfTheReport() {
        String log = Report.raw("uml-6.1-memcg.kmsg").replace("\n", "\n SUBSYSTEM=memory\n DEVICE=+memory:oom\n");
        assertThat(facts(log)).isEqualTo(facts(Report.raw("uml-6.1-memcg.kmsg")));
    }

    private static String render(Report report, Function<Line, String> container) {
        List<String> lines = new ArrayList<>();
        for (Line line : report.lines()) {
            // What the container adds is UTF-8, the kernel's bytes stay what they are.
            lines.add(container.apply(line));
        }
        return String.join("\n", lines) + "\n";
    }

    /** The events without what a container may know or not: when, where, and the ids that follow from the lines. */
    private static List<String> facts(String log) {
        List<String> facts = new ArrayList<>();
        for (AnalyzedIncident incident : Analysis.incidents(log.getBytes(StandardCharsets.UTF_8), 1 << 20)) {
            for (OomKillEvent event : incident.events()) {
                OomKillEvent.Builder fact =
                        event.toBuilder().clearEventId().clearTime().clearKernelTime();
                fact.getIncidentBuilder().clearId();
                fact.getNodeBuilder().clearName();
                facts.addAll(fact.build().toString().lines().toList());
            }
        }
        assertThat(facts).isNotEmpty();
        return facts;
    }
}
