package dev.exit137.nativetest;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The scenarios' own account (truth.jsonl): the processes, and the kernel's counter around them. */
record Truth(List<Process> processes, List<End> ends) {
    /** The OOM killer's victim. */
    static final String OOM = "oom";
    /** Exactly one of the scenario's processes of this kind is the OOM killer's victim. */
    static final String OOM_ONE_OF = "oom-one-of";

    /**
     * One process.
     *
     * @param cgroup its path, in the kernel's form
     * @param inode of that cgroup's directory
     * @param death {@link #OOM}, {@link #OOM_ONE_OF}, or another word: no event may name the process
     */
    record Process(String scenario, String cgroup, long inode, int pid, String comm, String death) {}

    /**
     * A scenario as a whole.
     *
     * @param vmstatGrowth of {@code oom_kill} in /proc/vmstat, from its start to its end
     * @param vmstatOomKill that counter at the end
     */
    record End(String scenario, long vmstatGrowth, long vmstatOomKill) {}

    static Truth read(Path file) {
        var processes = new ArrayList<Process>();
        var ends = new ArrayList<End>();
        for (String line : Bed.lines(file)) {
            JsonObject json = JsonParser.parseString(line).getAsJsonObject();
            String scenario = json.get("scenario").getAsString();
            if (json.has("pid")) {
                processes.add(new Process(
                        scenario,
                        json.get("cgroup").getAsString(),
                        json.get("inode").getAsLong(),
                        json.get("pid").getAsInt(),
                        json.get("comm").getAsString(),
                        json.get("death").getAsString()));
            } else {
                ends.add(new End(
                        scenario,
                        json.get("vmstatGrowth").getAsLong(),
                        json.get("vmstatOomKill").getAsLong()));
            }
        }
        return new Truth(List.copyOf(processes), List.copyOf(ends));
    }

    List<Process> of(String scenario) {
        return processes.stream()
                .filter(process -> process.scenario().equals(scenario))
                .toList();
    }

    End endOf(String scenario) {
        return ends.stream()
                .filter(end -> end.scenario().equals(scenario))
                .findFirst()
                .orElseThrow(() ->
                        new AssertionError("the scenario " + scenario + " did not come to its end; see plan.log"));
    }
}
