package dev.exit137.agent;

import static java.util.stream.Collectors.joining;

import dev.exit137.agent.cgroup.CgroupMount;
import dev.exit137.agent.cgroup.CgroupWatcher;
import dev.exit137.agent.correlate.Correlator;
import dev.exit137.agent.correlate.KillBalance;
import dev.exit137.agent.exit.SignalBook;
import dev.exit137.agent.kmsg.KmsgFollower;
import dev.exit137.agent.kmsg.KmsgSource;
import dev.exit137.agent.trace.TraceSource;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.state.v1.CgroupAccount;
import dev.exit137.proto.state.v1.Checkpoint;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.AgentStatus.CgroupMode;
import dev.exit137.proto.v1.Losses;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes the agent's status and its checkpoint. Agent-epoll thread. */
final class StatusReporter {
    private static final Logger LOG = LoggerFactory.getLogger(StatusReporter.class);

    private final Node node;
    private final Losses before;
    private final InstantSource clock;
    private final Instant startedAt;
    private CgroupMode cgroupMode = CgroupMode.NONE;
    private String kmsgProblem = "";
    private String countersProblem = "";
    private long backpressurePauses;

    /** @param before losses of earlier runs in this boot */
    StatusReporter(Node node, Losses before, InstantSource clock) {
        this.node = node;
        this.before = before;
        this.clock = clock;
        startedAt = clock.instant();
    }

    /** Finds the memory hierarchy, and logs an error if there is none. */
    Optional<CgroupMount> mount(AgentConfig config) {
        Optional<CgroupMount> mount = Optional.empty();
        try {
            mount = CgroupMount.find(config.procRoot(), config.cgroupRoot());
            if (mount.isEmpty()) {
                countersUnavailable("no cgroup hierarchy with the memory controller "
                        + (config.cgroupRoot() == null ? "is mounted" : "at --cgroup-root " + config.cgroupRoot()));
            }
        } catch (IOException e) {
            countersUnavailable("cannot look for cgroup mounts: " + e);
        }
        cgroupMode = mount.map(CgroupMount::mode).orElse(CgroupMode.NONE);
        return mount;
    }

    void kmsgUnavailable(String reason) {
        // The open is tried again and again, on some nodes in vain for ever: only a new reason is logged.
        if (!reason.equals(kmsgProblem)) {
            LOG.error("{}. Going on with the cgroups' counters: kills are seen, victims are not named.", reason);
        }
        kmsgProblem = reason;
    }

    void kmsgAvailable() {
        kmsgProblem = "";
        LOG.info("the kernel's log can be read again");
    }

    void countersUnavailable(String reason) {
        countersProblem = reason;
        LOG.error("{}. Going on with the kernel's log alone: cgroups are known from its summary lines only.", reason);
    }

    /** Returns which sources are not in use, and why. */
    String problems() {
        return Stream.of(kmsgProblem, countersProblem)
                .filter(problem -> !problem.isEmpty())
                .collect(joining("; and "));
    }

    void onBackpressure() {
        backpressurePauses++;
    }

    Losses losses(
            KmsgFollower kmsg,
            @Nullable CgroupWatcher watcher,
            Correlator correlator,
            @Nullable TraceSource trace,
            SignalBook signals,
            long processExitsDropped,
            long checkpointFailures) {
        KmsgSource source = kmsg.source();
        Losses.Builder losses = before.toBuilder()
                .setKmsgRecordsOverwritten(before.getKmsgRecordsOverwritten() + source.overwritten())
                .setKmsgOverruns(before.getKmsgOverruns() + source.overruns())
                .setKmsgRecordsOversize(before.getKmsgRecordsOversize() + source.oversize())
                .setKmsgRecordsMalformed(before.getKmsgRecordsMalformed() + source.malformed())
                .setKmsgReopens(before.getKmsgReopens() + kmsg.reopens());
        if (watcher != null) {
            losses.setInotifyOverflows(before.getInotifyOverflows() + watcher.overflows())
                    .setInotifyWatchesRefused(before.getInotifyWatchesRefused() + watcher.watchesRefused());
        }
        if (trace != null) {
            // The source itself goes on from the count of earlier runs: the kernel's buffers outlive them.
            losses.setTraceRecordsOverwritten(trace.recordsLost())
                    .setTraceRecordsMalformed(before.getTraceRecordsMalformed() + trace.recordsMalformed());
        }
        return losses.setKillsWithoutRecord(
                        before.getKillsWithoutRecord() + correlator.surplus().killsWithoutRecord())
                .setKillsAmbiguous(before.getKillsAmbiguous() + correlator.ambiguous())
                .setKillsUnattributed(before.getKillsUnattributed() + correlator.unattributed())
                .setReportBytesOmitted(before.getReportBytesOmitted() + correlator.reportBytesOmitted())
                .setSignalsDropped(before.getSignalsDropped() + signals.dropped())
                .setProcessExitsDropped(before.getProcessExitsDropped() + processExitsDropped)
                .setBackpressurePauses(before.getBackpressurePauses() + backpressurePauses)
                .setCheckpointFailures(before.getCheckpointFailures() + checkpointFailures)
                .build();
    }

    AgentStatus status(
            @Nullable CgroupWatcher watcher, KillBalance balance, Losses losses, List<SourceStatus> runtimes) {
        AgentStatus.Builder status = AgentStatus.newBuilder()
                .setNode(node)
                .setAgentVersion(Agent.version())
                .setStartedAt(EventFactory.timestamp(startedAt))
                .setReportedAt(EventFactory.timestamp(clock.instant()))
                .setCgroupMode(cgroupMode)
                .setWatchedCgroups(watcher == null ? 0 : watcher.tree().size())
                .setLosses(losses);
        status.addSources(source("kmsg", kmsgProblem.isEmpty() ? State.ACTIVE : State.UNAVAILABLE, kmsgProblem));
        addCounterSources(status, watcher);
        boolean vmstat = balance.vmstat() != KillBalance.UNKNOWN;
        status.addSources(source(
                "vmstat",
                vmstat ? State.ACTIVE : State.UNAVAILABLE,
                vmstat ? "" : "no oom_kill in vmstat below --proc-root: that nothing was lost cannot be proved"));
        status.addAllSources(runtimes);
        status.getBalanceBuilder()
                .setBeforeFirstRecord(balance.beforeFirstRecord())
                .setKills(balance.kills())
                .setRepeatedKillRecords(balance.repeatedKillRecords());
        if (vmstat) {
            status.getBalanceBuilder().setVmstatOomKill(balance.vmstat()).setUnaccounted(balance.unaccounted());
        }
        return status.build();
    }

    private void addCounterSources(AgentStatus.Builder status, @Nullable CgroupWatcher watcher) {
        boolean v2 = cgroupMode == CgroupMode.V2 || cgroupMode == CgroupMode.HYBRID_V2;
        String counters = v2 || watcher == null ? "memory.events" : "memory.oom_control";
        if (watcher == null) {
            status.addSources(source(counters, State.UNAVAILABLE, countersProblem));
        } else if (watcher.watchesRefused() > 0) {
            status.addSources(source(
                    counters,
                    State.DEGRADED,
                    "not every cgroup can be watched: all are scanned every second instead; raise"
                            + " fs.inotify.max_user_watches or max_user_instances, or the limit of open files"));
        } else if (!watcher.hasCounters()) {
            status.addSources(source(
                    counters, State.DEGRADED, "no cgroup has the memory controller enabled (cgroup.subtree_control)"));
        } else {
            String how = v2 ? "" : "cgroup v1 notifies no counters: they are read when the node counts a kill";
            status.addSources(source(counters, State.ACTIVE, how));
        }
    }

    private static SourceStatus source(String name, State state, String detail) {
        return SourceStatus.newBuilder()
                .setName(name)
                .setState(state)
                .setDetail(detail)
                .build();
    }

    Checkpoint checkpoint(long nextSequence, KillBalance balance, @Nullable CgroupWatcher watcher, Losses losses) {
        Checkpoint.Builder checkpoint = Checkpoint.newBuilder()
                .setBootId(node.getBootId())
                .setKmsgNextSequence(nextSequence)
                .setKillsBeforeFirstRecord(balance.beforeFirstRecord())
                .setKills(balance.kills())
                .setRepeatedKillRecords(balance.repeatedKillRecords())
                .setKillsUnaccounted(balance.unaccounted())
                .setLosses(losses);
        if (watcher != null) {
            watcher.tree()
                    .accounts()
                    .forEach(account -> checkpoint.addCgroups(CgroupAccount.newBuilder()
                            .setInode(account.inode())
                            .setLocalKills(account.localKills())
                            .setTreeKills(account.treeKills())
                            .setOoms(account.ooms())));
        }
        return checkpoint.build();
    }
}
