package dev.exit137.agent.correlate;

import dev.exit137.agent.cgroup.AfterKillReader;
import dev.exit137.agent.cgroup.Cgroup;
import dev.exit137.agent.cgroup.CgroupWatcher;
import dev.exit137.agent.linux.ProcessFiles;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.oomreport.event.Attribution;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.oomreport.event.EventIds;
import dev.exit137.oomreport.incident.IncidentAssembler;
import dev.exit137.oomreport.incident.OomIncident;
import dev.exit137.oomreport.incident.ReportSlab;
import dev.exit137.oomreport.parse.KmsgRecordFlyweight;
import dev.exit137.oomreport.parse.OomLine;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Joins the records with the counters: one event per killed process, at once, and a new revision when better evidence
 * comes. Where a part of that fails, the event has the evidence of the records alone. A kill counts as reported only
 * after its report is handed over, so that the counters report it where that fails. No exception reaches the assembler.
 *
 * <p>Owned by the agent-epoll thread; allocates once per kill, nothing per record.
 */
public final class Correlator implements IncidentAssembler.Sink {
    static final String PLACE = "correlate";

    /**
     * The kernel kills a group in one loop, one line and one process at a time. A line that comes later than this may as
     * well belong to an OOM with a rate-limited head. A line takes 13 ms on a serial console of 115200 baud.
     */
    private static final long GROUP_LOOP_MICROS = 20_000;

    private final @Nullable CgroupWatcher watcher;
    private final @Nullable Attributor attributor;
    private final @Nullable AfterKillReader afterKill;
    private final KillBalance balance;
    private final SurplusBook surplus;
    private final EventFactory events;
    private final Consumer<KillReport> reports;
    private final KernelClock clock;
    private final ReportSlab slab = new ReportSlab();
    private final FruitlessOoms fruitless;
    private final @Nullable LimitFinder limits;
    private final Guard guard;
    private final List<KillReport> ofThisIncident = new ArrayList<>();

    private boolean live;
    private boolean backlog;
    private boolean hasBaseline;
    private long liveSinceNanos;
    private long baselineNanos = Long.MIN_VALUE;
    private long ambiguous;
    private long unattributed;
    private boolean sampleTaken;
    private @Nullable Incident sampled;
    private long attributedSequence = -1;
    private CgroupAttribution attribution = CgroupAttribution.UNKNOWN;
    /** The limit of this incident, once it has sources; until then each event searches it again. */
    private Limit.Builder limit = Limit.newBuilder();

    private List<Evidence> limitSources = List.of();

    /**
     * @param watcher null where no memory cgroup can be watched
     * @param reports takes the events; must not block
     * @param hasBaseline whether a checkpoint of this boot has the accounted kills
     * @param guard the guard of this process
     */
    public Correlator(
            Node node,
            Path procRoot,
            @Nullable CgroupWatcher watcher,
            KillBalance balance,
            Consumer<KillReport> reports,
            KernelClock clock,
            boolean hasBaseline,
            Guard guard) {
        this.watcher = watcher;
        this.balance = balance;
        this.reports = reports;
        this.clock = clock;
        this.hasBaseline = hasBaseline;
        this.guard = guard;
        events = new EventFactory(node, EventIds.ofBoot(node.getBootId()));
        fruitless = new FruitlessOoms(reports);
        afterKill = watcher == null ? null : new AfterKillReader(watcher.isV2());
        limits = watcher == null || afterKill == null ? null : new LimitFinder(watcher, afterKill);
        surplus = new SurplusBook(balance, events, afterKill, limits, reports, guard);
        attributor = watcher == null ? null : new Attributor(watcher, new ProcessFiles(procRoot), balance, surplus);
    }

    /** Kills without a cgroup because several fit. */
    public long ambiguous() {
        return ambiguous;
    }

    /** Kills without a cgroup because no evidence names it. */
    public long unattributed() {
        return unattributed;
    }

    /** The accounts of the kills that counters show and no record explains. */
    public SurplusBook surplus() {
        return surplus;
    }

    /**
     * The ring was read to its end for the first time: from now on, records are read as they are printed. The counters
     * and the balance must have been read before it: kills counted since then still have their record to come.
     */
    public void startLive() {
        live = true;
        liveSinceNanos = clock.nowNanos();
        if (!hasBaseline) {
            // Kills from before the ring's oldest record: no agent watched then, and their time is unknown.
            if (watcher != null) {
                watcher.tree().absorbAll();
            }
            balance.startHere();
            hasBaseline = true;
            baselineNanos = liveSinceNanos;
        }
    }

    /**
     * Call before a record is handled. A record that was just printed shows how the kernel's clock runs.
     *
     * @param isBacklog whether the record was in the ring when the device was opened
     */
    public void onRecord(long timestampMicros, boolean isBacklog) {
        backlog = isBacklog;
        if (isLive()) {
            clock.onLiveRecord(timestampMicros, clock.nowNanos());
        }
    }

    /** Whether records are handled as they are printed. */
    private boolean isLive() {
        return live && !backlog;
    }

    /** Whether the counters' baseline includes the kill: then they cannot show it any more. */
    private boolean isInBaseline(long killedAtNanos) {
        return backlog && killedAtNanos < baselineNanos;
    }

    /** Periodic work; call about once a second. */
    public void tick() {
        fruitless.tick(clock.nowNanos());
    }

    /** Keeps a record of the report that is being printed, for its long blocks. */
    public void onReportRecord(KmsgRecordFlyweight kernelRecord) {
        slab.append(kernelRecord);
    }

    /** Bytes of reports that were too long to keep. */
    public long reportBytesOmitted() {
        return slab.omittedBytes();
    }

    @Override
    public void onBegun(OomIncident incident) {
        slab.clear();
        ofThisIncident.clear();
        sampleTaken = false;
        sampled = null;
        limitSources = List.of();
    }

    @Override
    public boolean isGroupMember(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
        return guard.get(PLACE, () -> isInGroup(incident, killed, sequence, timestampMicros), false);
    }

    private boolean isInGroup(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
        attribute(incident, killed, sequence, timestampMicros);
        String group = incident.groupMemcg().toString();
        if (attribution.isKnown()) {
            return Attributor.isBelow(attribution.path(), group);
        }
        List<String> candidates = attribution.candidates();
        List<String> inGroup = candidates.stream()
                .filter(path -> Attributor.isBelow(path, group))
                .toList();
        if (timestampMicros - incident.lastTimestampMicros() > GROUP_LOOP_MICROS) {
            return !candidates.isEmpty() && inGroup.size() == candidates.size();
        }
        if (inGroup.size() < candidates.size() && !inGroup.isEmpty()) {
            attribution = CgroupAttribution.ambiguous(inGroup);
        }
        return candidates.isEmpty() || !inGroup.isEmpty();
    }

    @Override
    public void onKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
        guard.run(PLACE, () -> reportKill(incident, killed, sequence, timestampMicros));
    }

    private void reportKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
        attribute(incident, killed, sequence, timestampMicros);
        long now = clock.nowNanos();
        long killedAtNanos = now - clock.ageNanos(timestampMicros, now);
        KillReport countedOnly = surplus.countedOnly(attribution).orElse(null);
        if (countedOnly != null && limits != null) {
            limits.giveBack(countedOnly);
        }
        findLimit(
                incident,
                killed.memcgWording() || incident.isMemcg(),
                attribution.certainCgroup(),
                heldBytes(killed),
                killedAtNanos);
        OomKillEvent.Builder event = events.kill(
                        incident, killed, sequence, attribution.attribution(), limit, times(timestampMicros, now))
                .addAllEvidence(limitSources);
        sample(event, killedAtNanos);
        KillReport report = countedOnly == null
                ? new KillReport(event.build(), readAfterKill(now - killedAtNanos), slab.take(), sampled)
                : countedOnly
                        .revised(event.setEventId(countedOnly.event().getEventId()))
                        .withBlocks(slab.take());
        reports.accept(report);
        ofThisIncident.add(report);
        enter(report, countedOnly, killedAtNanos, now);
    }

    /** What the kill frees of its cgroup: pages of files may be charged to another. */
    private static long heldBytes(OomLine killed) {
        return Math.max(0, killed.anonRssBytes()) + Math.max(0, killed.shmemRssBytes());
    }

    /** Adds a kill to the accounts after its report was handed over. */
    private void enter(KillReport report, @Nullable KillReport countedOnly, long killedAtNanos, long nowNanos) {
        if (countedOnly == null) {
            balance.onKill();
        } else {
            surplus.recordHasCome(countedOnly);
        }
        attribution.account();
        if (isInBaseline(killedAtNanos)) {
            balance.onRecordFromBefore();
        } else if (!attribution.isKnown()) {
            surplus.addUnplaced(report, nowNanos);
        }
        if (attribution.candidates().isEmpty() && !attribution.isKnown()) {
            unattributed++;
        } else if (!attribution.isKnown()) {
            ambiguous++;
        }
    }

    private AfterKillReader.@Nullable Raw readAfterKill(long ageNanos) {
        AfterKillReader reader = afterKill;
        Cgroup cgroup = attribution.certainCgroup();
        return isLive() && reader != null && cgroup != null
                ? guard.get(PLACE, () -> reader.read(cgroup, ageNanos), Optional.<AfterKillReader.Raw>empty())
                        .orElse(null)
                : null;
    }

    /**
     * Sets the memory before the incident's first kill: that of the cgroup at its limit, else that of the victim's
     * cgroup.
     */
    private void sample(OomKillEvent.Builder event, long killedAtNanos) {
        if (!sampleTaken) {
            sampleTaken = true;
            sampled = guard.get(PLACE, () -> sampledBefore(event, killedAtNanos), Optional.<Incident>empty())
                    .orElse(null);
        }
    }

    private Optional<Incident> sampledBefore(OomKillEvent.Builder event, long killedAtNanos) {
        Cgroup victims = attribution.cgroup();
        String limits = event.getIncident().getLimit().getCgroup();
        Cgroup above = limits.isEmpty() || victims == null ? victims : victims.atOrAbove(limits);
        Cgroup cgroup =
                above != null || watcher == null ? above : watcher.tree().find(limits);
        return cgroup == null || event.getScope() != Scope.MEMCG
                ? Optional.empty()
                : cgroup.sampledBefore(killedAtNanos);
    }

    @Override
    public void onRepeatedKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
        balance.onRepeatedKillRecord();
        guard.run(PLACE, () -> accountRepeatedKill(incident, killed, sequence, timestampMicros));
    }

    /** The kernel counted the process once more, in the same cgroup. */
    private void accountRepeatedKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
        long now = clock.nowNanos();
        if (isInBaseline(now - clock.ageNanos(timestampMicros, now))) {
            balance.onRecordFromBefore();
        }
        attribute(incident, killed, sequence, timestampMicros);
        attribution.account();
    }

    @Override
    public void onClosed(OomIncident incident) {
        if (incident.kills() == 0 && !incident.isGroupKill()) {
            guard.run(PLACE, () -> reportWithoutKill(incident));
        }
        ofThisIncident.forEach(report -> guard.run(PLACE, () -> revise(report, incident)));
        ofThisIncident.clear();
    }

    /** Reports the event again with the data of the whole incident, if that has changed. */
    private void revise(KillReport report, OomIncident incident) {
        OomKillEvent.Builder better = report.event().toBuilder();
        if (better.getIncident().getLimit().getCgroup().isEmpty() && !limitSources.isEmpty()) {
            // A later victim's cgroup was known.
            EventFactory.setLimit(better, limit).addAllEvidence(limitSources);
        }
        better.getIncidentBuilder()
                .setGroupKill(incident.isGroupKill())
                .setKillsSoFar(incident.kills())
                .setRepeatedKillRecords(incident.repeatedKillRecords());
        if (!better.getIncident().equals(report.event().getIncident())) {
            reports.accept(report.revised(better));
        }
    }

    private void reportWithoutKill(OomIncident incident) {
        long now = clock.nowNanos();
        if (fruitless.isRepeated(incident, now)) {
            return;
        }
        findLimit(incident, incident.isMemcg(), null, 0, now - clock.ageNanos(incident.lastTimestampMicros(), now));
        OomKillEvent.Builder event = events.withoutKill(incident, limit, times(incident.lastTimestampMicros(), now))
                .addAllEvidence(limitSources);
        KillReport report = new KillReport(event.build(), null, slab.take(), null);
        if (limits != null && report.event().getOutcome() == Outcome.KILL_NOT_SEEN) {
            // Its kill is counted and the counters will report it: that event needs the counted OOM.
            limits.giveBack(report);
        }
        reports.accept(report);
        fruitless.onReported(incident, report, now);
    }

    private void attribute(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
        if (attributedSequence == sequence) {
            return;
        }
        attributedSequence = sequence;
        attribution = new CgroupAttribution(Attribution.ofSummary(incident, killed), null, null);
        long now = clock.nowNanos();
        long killedAtNanos = now - clock.ageNanos(timestampMicros, now);
        Attributor finder = attributor;
        if (finder != null && !isInBaseline(killedAtNanos)) {
            attribution = guard.get(
                    PLACE,
                    () -> finder.attribute(incident, killed, killedAtNanos, isLive(), !hasBaseline),
                    attribution);
        }
    }

    private EventFactory.Times times(long timestampMicros, long nowNanos) {
        Instant observed = clock.now();
        boolean recovered = !live || (backlog && nowNanos - clock.ageNanos(timestampMicros, nowNanos) < liveSinceNanos);
        return new EventFactory.Times(
                timestampMicros, clock.wallTime(timestampMicros, observed, nowNanos), observed, recovered);
    }

    /** Finds the cgroup at its limit: once for all processes of a group kill, as soon as the cgroup of one is known. */
    private void findLimit(
            OomIncident incident, boolean memcg, @Nullable Cgroup victims, long victimBytes, long killedAtNanos) {
        if (limitSources.isEmpty()) {
            Limit.Builder found = EventFactory.limit(incident);
            limit = found;
            LimitFinder finder = limits;
            if (memcg && finder != null && !isInBaseline(killedAtNanos)) {
                limitSources = guard.get(PLACE, () -> finder.find(found, victims, victimBytes, hasBaseline), List.of());
            }
        }
    }
}
