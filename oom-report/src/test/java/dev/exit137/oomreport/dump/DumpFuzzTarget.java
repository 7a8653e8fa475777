package dev.exit137.oomreport.dump;

import dev.exit137.proto.v1.Incident;

/** The long blocks are read whatever stands in them, into what is bounded. */
public final class DumpFuzzTarget {
    private static final int MAX_TASKS = 100;

    private DumpFuzzTarget() {}

    /** Called by Jazzer. */
    public static void fuzzerTestOneInput(byte[] input) {
        DumpParser parser = new DumpParser();
        parser.onText(input, input.length);
        Incident.Builder incident = Incident.newBuilder();
        parser.addTo(incident);
        if (incident.getTasksCount() > MAX_TASKS) {
            throw new AssertionError(incident.getTasksCount() + " tasks");
        }
        incident.build().toByteArray();
    }
}
