package dev.exit137.oomreport.incident;

import dev.exit137.oomreport.parse.KmsgRecordFlyweight;
import dev.exit137.oomreport.parse.OomLine;
import dev.exit137.oomreport.parse.OomLine.Kind;
import dev.exit137.oomreport.parse.OomLine.Wording;
import dev.exit137.oomreport.parse.OomLineParser;

/**
 * Assembles OOM reports from their lines. The kernel prints reports one after another (under oom_lock). It limits the
 * rate of a report's head, up to its summary, but not of its {@code Killed process} records: a kill without a head is
 * an incident of its own.
 *
 * <p>Owned by the agent-epoll thread; allocates nothing.
 */
public final class IncidentAssembler {
    /** A report's head can take long to print (a large task table on a serial console). */
    private static final long HEAD_SPAN_MICROS = 30_000_000;

    /** The kernel kills the processes of a group in one loop. */
    private static final long GROUP_SPAN_MICROS = 1_000_000;

    /** Receives the data of the records, on the agent-epoll thread; the arguments are valid during the call. */
    public interface Sink {
        /** Another incident begins. */
        void onBegun(OomIncident incident);

        /** Whether a process killed right after a group kill's first was in the group, and not in an OOM without a head. */
        boolean isGroupMember(OomIncident incident, OomLine killed, long sequence, long timestampMicros);

        /** A process was killed. */
        void onKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros);

        /** The kernel logged and counted once more a process that was already killed in this incident. */
        void onRepeatedKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros);

        /** The incident is complete. */
        void onClosed(OomIncident incident);
    }

    private final Sink sink;
    private final OomLineParser parser = new OomLineParser();
    private final OomLine line = new OomLine();
    private final OomIncident incident = new OomIncident();
    private boolean open;

    public IncidentAssembler(Sink sink) {
        this.sink = sink;
    }

    /** Whether an incident is open: more of its records may come. */
    public boolean isOpen() {
        return open;
    }

    /** The open incident. */
    public OomIncident incident() {
        return incident;
    }

    /**
     * Takes the next record of the kernel.
     *
     * @return whether it is a line of an OOM report
     */
    public boolean onRecord(KmsgRecordFlyweight kernelRecord) {
        parser.parse(kernelRecord, line);
        return onLine(line, kernelRecord.sequence(), kernelRecord.timestampMicros());
    }

    /**
     * Takes the next line of the kernel, already parsed.
     *
     * @return whether it is a line of an OOM report
     */
    public boolean onLine(OomLine line, long sequence, long timestampMicros) {
        switch (line.kind()) {
            case INVOKED -> {
                begin(sequence, timestampMicros);
                incident.headKind = line.kind();
                incident.invoked = true;
                incident.triggerComm.copyFrom(line.comm());
                incident.gfpMask.copyFrom(line.gfpMask());
                incident.nodemask.copyFrom(line.nodemask());
                incident.order = line.order();
                incident.triggerOomScoreAdj = line.oomScoreAdj();
            }
            case TRIGGER_CPU -> {
                // Other drivers print such a line, too: only the trigger's own line counts, and only its first.
                if (inHead()
                        && incident.triggerPid == OomLine.ABSENT
                        && incident.triggerComm.contentEquals(line.comm())) {
                    incident.triggerPid = line.pid();
                    incident.triggerCpu = line.cpu();
                }
            }
            case CPUSET -> {
                if (inHead() && incident.memsAllowed.isEmpty() && incident.triggerComm.contentEquals(line.comm())) {
                    incident.cpuset.copyFrom(line.cpuset());
                    incident.memsAllowed.copyFrom(line.memsAllowed());
                }
            }
            case TASK_IN -> {
                beginUnlessNextInHead(line, sequence, timestampMicros);
                incident.memcgBlock = true;
                incident.taskMemcg.copyFrom(line.taskMemcg());
                incident.oomMemcg.copyFrom(line.oomMemcg());
            }
            case MEMORY_USAGE -> {
                beginUnlessNextInHead(line, sequence, timestampMicros);
                incident.memcgBlock = true;
                incident.usageBytes = line.usageBytes();
                incident.limitBytes = line.limitBytes();
                incident.failcnt = line.failcnt();
            }
            case SWAP_USAGE -> {
                if (isNextInHead(line)) {
                    incident.headKind = line.kind();
                    incident.memoryPlusSwap = line.memoryPlusSwap();
                    incident.swapUsageBytes = line.usageBytes();
                    incident.swapLimitBytes = line.limitBytes();
                }
            }
            case KMEM_USAGE -> {
                if (isNextInHead(line)) {
                    incident.headKind = line.kind();
                    incident.kmemUsageBytes = line.usageBytes();
                    incident.kmemLimitBytes = line.limitBytes();
                }
            }
            case MEMCG_STATS -> {
                // The first, after the usage, is of the cgroup at its limit; before 5.3 lines of the cgroups below it
                // follow.
                if (!inHead() || incident.headKind != Kind.MEMCG_STATS) {
                    beginUnlessNextInHead(line, sequence, timestampMicros);
                    incident.memcgBlock = true;
                    if (incident.oomMemcg.isEmpty() && incident.usageBytes != OomLine.ABSENT) {
                        incident.oomMemcg.copyFrom(line.oomMemcg());
                    }
                }
            }
            case SUMMARY -> onSummary(line, sequence, timestampMicros);
            case CHOSEN -> onChosen(line, sequence, timestampMicros);
            case KILLED -> onKilled(line, sequence, timestampMicros);
            case GROUP_KILL -> {
                if (!open || (incident.kills() == 0 && incident.alreadyExiting == 0)) {
                    begin(sequence, timestampMicros);
                }
                incident.groupKill = true;
                incident.groupMemcg.copyFrom(line.groupMemcg());
            }
            case ALREADY_EXITING -> {
                if (open) {
                    incident.alreadyExiting++;
                }
            }
            case NO_KILLABLE_PROCESS -> {
                if (!inHead() || contradicts(line)) {
                    begin(sequence, timestampMicros);
                }
                incident.noKillableProcess = true;
                learnWording(line);
            }
            case PANIC -> {
                if (!open) {
                    begin(sequence, timestampMicros);
                }
                incident.panic = true;
                learnWording(line);
            }
            default -> {
                return false;
            }
        }
        if (open) {
            incident.lastTimestampMicros = timestampMicros;
        }
        return true;
    }

    /** Closes the incident: records were lost, or no record came for long enough. */
    public void close() {
        if (open) {
            open = false;
            sink.onClosed(incident);
        }
    }

    /** Whether a report is being printed and its kill is still to come. */
    public boolean isInHead() {
        return inHead();
    }

    private boolean inHead() {
        return open
                && incident.kills() == 0
                && !incident.groupKill
                && !incident.noKillableProcess
                && !incident.panic
                && incident.alreadyExiting == 0;
    }

    /** Whether the line can be the next of the open head: each kind comes once, and in the order of the kinds. */
    private boolean isNextInHead(OomLine line) {
        return inHead() && incident.headKind.compareTo(line.kind()) < 0;
    }

    private void begin(long sequence, long timestampMicros) {
        close();
        incident.begin(sequence, timestampMicros);
        open = true;
        sink.onBegun(incident);
    }

    private void beginUnlessNextInHead(OomLine line, long sequence, long timestampMicros) {
        if (!isNextInHead(line) || contradicts(line)) {
            begin(sequence, timestampMicros);
        }
        incident.headKind = line.kind();
    }

    /**
     * Whether the line is of another OOM than the head: only one of them is a memory cgroup's, or their cgroups differ.
     */
    private boolean contradicts(OomLine line) {
        boolean memcg = line.memcgWording() || !line.oomMemcg().isEmpty();
        boolean notMemcg = line.globalOom() || (line.wording() != Wording.NONE && !line.memcgWording());
        boolean otherMemcg = line.kind() == Kind.SUMMARY
                && !line.oomMemcg().isEmpty()
                && !incident.oomMemcg.isEmpty()
                && !incident.oomMemcg.contentEquals(line.oomMemcg());
        return (memcg && incident.isNotMemcg()) || (notMemcg && incident.isMemcg()) || otherMemcg;
    }

    private void learnWording(OomLine line) {
        if (line.wording() != Wording.NONE) {
            incident.wording = line.wording();
        }
    }

    private void onSummary(OomLine line, long sequence, long timestampMicros) {
        beginUnlessNextInHead(line, sequence, timestampMicros);
        incident.summarized = true;
        incident.globalOom = line.globalOom();
        incident.constraint.copyFrom(line.constraint());
        incident.nodemask.copyFrom(line.nodemask());
        incident.cpuset.copyFrom(line.cpuset());
        incident.memsAllowed.copyFrom(line.memsAllowed());
        if (!line.oomMemcg().isEmpty()) {
            incident.oomMemcg.copyFrom(line.oomMemcg());
        }
        incident.taskMemcg.copyFrom(line.taskMemcg());
        incident.chosenPid = line.pid();
        incident.chosenUid = line.uid();
        incident.chosenComm.copyFrom(line.comm());
    }

    private void onChosen(OomLine line, long sequence, long timestampMicros) {
        if (isNextInHead(line) && incident.chosenPid != OomLine.ABSENT && incident.chosenPid != line.pid()) {
            begin(sequence, timestampMicros);
        }
        beginUnlessNextInHead(line, sequence, timestampMicros);
        learnWording(line);
        incident.chosenPid = line.pid();
        incident.chosenComm.copyFrom(line.comm());
        incident.chosenOomScore = line.oomScore();
    }

    private void onKilled(OomLine line, long sequence, long timestampMicros) {
        if (!belongs(line, sequence, timestampMicros)) {
            begin(sequence, timestampMicros);
        }
        if (incident.hasKilled(line.pid())) {
            incident.addRepeatedKillRecord();
            sink.onRepeatedKill(incident, line, sequence, timestampMicros);
        } else {
            incident.addKill(line.pid());
            sink.onKill(incident, line, sequence, timestampMicros);
        }
    }

    private boolean belongs(OomLine line, long sequence, long timestampMicros) {
        if (!open) {
            return false;
        }
        long sinceLastMicros = timestampMicros - incident.lastTimestampMicros;
        if (incident.kills() == 0) {
            return sinceLastMicros <= HEAD_SPAN_MICROS
                    && (incident.groupKill || (inHead() && isOfChosen(line) && !contradicts(line)));
        }
        if (!incident.groupKill || sinceLastMicros > GROUP_SPAN_MICROS) {
            return false;
        }
        return incident.hasKilled(line.pid()) || sink.isGroupMember(incident, line, sequence, timestampMicros);
    }

    /**
     * Whether the process that was killed can be killed for the one that was chosen. The {@code Killed process} record of
     * a {@code Kill process} record comes right after it, for the process or a child. After a summary the kernel may
     * kill another thread of the process that it chose: another pid, the same user. A summary cut short by its length
     * does not name the chosen process.
     */
    private boolean isOfChosen(OomLine killed) {
        return incident.headKind == Kind.CHOSEN
                || incident.chosenPid == OomLine.ABSENT
                || incident.chosenPid == killed.pid()
                || incident.chosenUid == killed.uid();
    }
}
