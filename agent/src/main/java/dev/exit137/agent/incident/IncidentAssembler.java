package dev.exit137.agent.incident;

import dev.exit137.agent.kmsg.KmsgRecordFlyweight;
import dev.exit137.agent.kmsg.OomLine;
import dev.exit137.agent.kmsg.OomLineParser;

/**
 * Puts the lines of OOM reports together. The kernel prints reports one after another (under oom_lock), but the head of
 * a report, up to its summary, is rate-limited and its {@code Killed process} records are not: a kill without a head is
 * an incident of its own.
 *
 * <p>Owned by the agent-epoll thread; allocates nothing.
 */
public final class IncidentAssembler {
  /** A report's head can take long to print (a large task table on a serial console). */
  private static final long HEAD_SPAN_MICROS = 30_000_000;

  /** The kernel kills the processes of a group in one loop. */
  private static final long GROUP_SPAN_MICROS = 1_000_000;

  /** Told of what the records say, on the agent-epoll thread; the arguments are valid during the call. */
  public interface Sink {
    /** Whether a process killed right after a group kill's first was in the group, and not of an OOM without a head. */
    boolean isGroupMember(Incident incident, OomLine killed, long sequence, long timestampMicros);

    /** A process was killed. */
    void onKill(Incident incident, OomLine killed, long sequence, long timestampMicros);

    /** A process that was killed in this incident was logged, and counted, once more. */
    void onRepeatedKill(Incident incident, OomLine killed, long sequence, long timestampMicros);

    /** Nothing more will come of this incident. */
    void onClosed(Incident incident);
  }

  private final Sink sink;
  private final OomLineParser parser = new OomLineParser();
  private final OomLine line = new OomLine();
  private final Incident incident = new Incident();
  private boolean open;

  public IncidentAssembler(Sink sink) {
    this.sink = sink;
  }

  /** Whether an incident is open: records that belong to it may still come. */
  public boolean isOpen() {
    return open;
  }

  /** The open incident. */
  public Incident incident() {
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

  private boolean onLine(OomLine line, long sequence, long timestampMicros) {
    switch (line.kind()) {
      case INVOKED -> {
        begin(sequence, timestampMicros);
        incident.invoked = true;
        incident.triggerComm.copyFrom(line.comm());
        incident.gfpMask.copyFrom(line.gfpMask());
        incident.order = line.order();
        incident.triggerOomScoreAdj = line.oomScoreAdj();
      }
      case TRIGGER_CPU -> {
        // Other drivers print such a line too: only the trigger's own, and only its first.
        if (inHead() && incident.triggerPid == OomLine.ABSENT && incident.triggerComm.contentEquals(line.comm())) {
          incident.triggerPid = line.pid();
          incident.triggerCpu = line.cpu();
        }
      }
      case MEMORY_USAGE -> {
        if (inHead()) {
          incident.usageBytes = line.usageBytes();
          incident.limitBytes = line.limitBytes();
        }
      }
      case SWAP_USAGE -> {
        if (inHead()) {
          incident.swapUsageBytes = line.usageBytes();
          incident.swapLimitBytes = line.limitBytes();
        }
      }
      case SUMMARY -> onSummary(line, sequence, timestampMicros);
      case KILLED -> onKilled(line, sequence, timestampMicros);
      case GROUP_KILL -> {
        if (!open || incident.kills() == 0) {
          begin(sequence, timestampMicros);
        }
        incident.groupKill = true;
        incident.groupMemcg.copyFrom(line.groupMemcg());
      }
      case NO_KILLABLE_PROCESS -> {
        beginUnlessInHead(sequence, timestampMicros);
        incident.noKillableProcess = true;
      }
      case PANIC -> {
        if (!open) {
          begin(sequence, timestampMicros);
        }
        incident.panic = true;
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

  /** Nothing more will come: records were lost, or it has been quiet for long enough. */
  public void close() {
    if (open) {
      open = false;
      sink.onClosed(incident);
    }
  }

  private boolean inHead() {
    return open && incident.kills() == 0 && !incident.groupKill;
  }

  private void begin(long sequence, long timestampMicros) {
    close();
    incident.begin(sequence, timestampMicros);
    open = true;
  }

  private void beginUnlessInHead(long sequence, long timestampMicros) {
    if (!inHead()) {
      begin(sequence, timestampMicros);
    }
  }

  private void onSummary(OomLine line, long sequence, long timestampMicros) {
    if (!inHead() || incident.summarized) {
      begin(sequence, timestampMicros);
    }
    incident.summarized = true;
    incident.constraint.copyFrom(line.constraint());
    incident.oomMemcg.copyFrom(line.oomMemcg());
    incident.taskMemcg.copyFrom(line.taskMemcg());
    incident.chosenPid = line.pid();
    incident.chosenUid = line.uid();
    incident.chosenComm.copyFrom(line.comm());
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
      // The kernel may kill another thread of the process that it chose: another pid, the same user. A summary cut
      // short by its length does not say whom it chose.
      boolean chosen =
          incident.chosenPid == OomLine.ABSENT
              || incident.chosenPid == line.pid()
              || incident.chosenUid == line.uid();
      return chosen && sinceLastMicros <= HEAD_SPAN_MICROS;
    }
    if (!incident.groupKill || sinceLastMicros > GROUP_SPAN_MICROS) {
      return false;
    }
    return incident.hasKilled(line.pid()) || sink.isGroupMember(incident, line, sequence, timestampMicros);
  }
}
