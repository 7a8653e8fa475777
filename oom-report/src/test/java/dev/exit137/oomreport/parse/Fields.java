package dev.exit137.oomreport.parse;

import dev.exit137.oomreport.parse.OomLine.Wording;
import java.util.Map;
import java.util.TreeMap;

/** What a line has, by name, for comparisons: numbers that are absent, empty texts and false are left out. */
final class Fields {
    private final Map<String, Object> values = new TreeMap<>();

    private Fields() {}

    static Map<String, Object> parse(String message) {
        return parse(Records.of(message));
    }

    static Map<String, Object> parse(byte[] record) {
        OomLine line = new OomLine();
        new OomLineParser().parse(Records.wrap(record), line);
        return of(line);
    }

    static Map<String, Object> of(OomLine line) {
        Fields fields = new Fields();
        fields.values.put("kind", line.kind());
        if (line.wording() != Wording.NONE) {
            fields.values.put("wording", line.wording());
        }
        fields.number("pid", line.pid());
        fields.number("uid", line.uid());
        fields.number("cpu", line.cpu());
        fields.number("order", line.order());
        fields.number("oomScore", line.oomScore());
        fields.number("oomScoreAdj", line.oomScoreAdj());
        fields.number("totalVmBytes", line.totalVmBytes());
        fields.number("anonRssBytes", line.anonRssBytes());
        fields.number("fileRssBytes", line.fileRssBytes());
        fields.number("shmemRssBytes", line.shmemRssBytes());
        fields.number("pgtablesBytes", line.pgtablesBytes());
        fields.number("usageBytes", line.usageBytes());
        fields.number("limitBytes", line.limitBytes());
        fields.number("failcnt", line.failcnt());
        fields.number("suppressedCallbacks", line.suppressedCallbacks());
        fields.flag("globalOom", line.globalOom());
        fields.flag("memoryPlusSwap", line.memoryPlusSwap());
        fields.text("comm", line.comm());
        fields.text("constraint", line.constraint());
        fields.text("gfpMask", line.gfpMask());
        fields.text("oomMemcg", line.oomMemcg());
        fields.text("taskMemcg", line.taskMemcg());
        fields.text("groupMemcg", line.groupMemcg());
        fields.text("nodemask", line.nodemask());
        fields.text("cpuset", line.cpuset());
        fields.text("memsAllowed", line.memsAllowed());
        return fields.values;
    }

    private void number(String name, long value) {
        if (value != OomLine.ABSENT) {
            values.put(name, value);
        }
    }

    private void flag(String name, boolean value) {
        if (value) {
            values.put(name, true);
        }
    }

    private void text(String name, ByteText value) {
        if (!value.isEmpty()) {
            values.put(name, value + (value.isTruncated() ? "..." : ""));
        }
    }
}
