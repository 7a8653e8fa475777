package dev.exit137.agent.correlate;

import dev.exit137.agent.cgroup.AfterKillReader;
import dev.exit137.agent.cgroup.Cgroup;
import dev.exit137.agent.cgroup.CgroupWatcher;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Certainty;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The accounts that do not match yet: kills that a counter shows and no record explains (a surplus), and kills with a
 * record that names no cgroup (unplaced). After the grace period the two settle each other. The rest of the surplus, as
 * far as /proc/vmstat agrees that a record is missing, is reported with the counter as its only evidence.
 *
 * <p>Owned by the agent-epoll thread.
 */
public final class SurplusBook {
    /** After an outage the many kills are reported in portions: each kill needs a dozen files to be read. */
    private static final int MAX_REPORTS_AT_ONCE = 256;

    private static final int MAX_COUNTED_ONLY = 256;
    private static final int MAX_UNPLACED = 1024;
    /** An unplaced kill that no counter has shown by then was in a cgroup that the agent never saw. */
    private static final long FORGET_UNPLACED_NANOS = 10_000_000_000L;

    private record Unplaced(KillReport report, long sinceNanos) {}

    /** A kill reported on a counter's evidence alone. */
    record CountedOnly(Cgroup countedBy, KillReport report) {
        boolean isCertain() {
            return !report.event().getCgroupPath().isEmpty();
        }
    }

    private final KillBalance balance;
    private final EventFactory events;
    private final @Nullable AfterKillReader afterKill;
    private final @Nullable LimitFinder limits;
    private final Consumer<KillReport> reports;
    private final Guard guard;
    private final List<Unplaced> unplaced = new ArrayList<>();
    /** The kills with a record that may still come, the oldest first. */
    final ArrayDeque<CountedOnly> countedOnly = new ArrayDeque<>();

    private long killsWithoutRecord;

    SurplusBook(
            KillBalance balance,
            EventFactory events,
            @Nullable AfterKillReader afterKill,
            @Nullable LimitFinder limits,
            Consumer<KillReport> reports,
            Guard guard) {
        this.balance = balance;
        this.limits = limits;
        this.afterKill = afterKill;
        this.events = events;
        this.reports = reports;
        this.guard = guard;
    }

    /** Kills reported on a counter's evidence alone. */
    public long killsWithoutRecord() {
        return killsWithoutRecord;
    }

    void addUnplaced(KillReport report, long nowNanos) {
        if (unplaced.size() == MAX_UNPLACED) {
            unplaced.remove(0);
        }
        unplaced.add(new Unplaced(report, nowNanos));
    }

    /** Whether the cgroup may be that of a kill with an earlier record: then its counter shows that kill. */
    boolean isClaimed(String path) {
        return unplaced.stream()
                .map(kill -> kill.report().event())
                .anyMatch(event -> event.getCandidatesOmitted() > 0
                        || event.getCandidatesList().contains(path));
    }

    /**
     * The oldest kill reported without a record, in a cgroup with no counter that shows a further kill: the record that
     * comes now belongs to that kill.
     */
    Optional<KillReport> countedOnly(CgroupAttribution attribution) {
        Cgroup cgroup = attribution.cgroup();
        if (cgroup == null || attribution.countedBy() != null) {
            return Optional.empty();
        }
        return countedOnly.stream()
                .filter(kill -> kill.countedBy().inode() == cgroup.inode())
                .findFirst()
                .map(CountedOnly::report);
    }

    /** The record of a kill that was reported without one has come and was reported. */
    @SuppressWarnings("ReferenceEquality") // This very report; to compare whole events would be slow.
    void recordHasCome(KillReport report) {
        countedOnly.removeIf(kill -> kill.report() == report);
    }

    /**
     * Settles the accounts. Call when kmsg was read to its end and the count of kills has not changed for the grace
     * period: by then every record that will come has come.
     *
     * @param recovered whether the counters are read for the first time after a start
     * @return false when a kill was counted meanwhile, which makes the comparison void, and when there is more to report
     */
    public boolean settle(CgroupWatcher watcher, Instant now, long nowNanos, boolean recovered) {
        long counted = balance.vmstat();
        watcher.refreshAll();
        if (balance.read() != counted) {
            return false;
        }
        unplaced.removeIf(kill -> nowNanos - kill.sinceNanos() > FORGET_UNPLACED_NANOS);
        List<Surplus> surpluses = Surplus.find(watcher);
        long total = surpluses.size();
        long missing = balance.vmstat() == KillBalance.UNKNOWN ? total - unplaced.size() : balance.missing();
        if (missing <= 0) {
            place(surpluses);
        } else {
            List<String> otherwise =
                    total <= missing && unplaced.isEmpty() ? List.of() : Surplus.candidatesOf(surpluses);
            int reported = 0;
            for (Surplus surplus : surpluses) {
                if (reported < missing) {
                    if (reported++ == MAX_REPORTS_AT_ONCE) {
                        return false;
                    }
                    // A kill that cannot be reported stays missing in the balance, and does not delay the others.
                    guard.run(Correlator.PLACE, () -> report(surplus, otherwise, now, nowNanos, recovered));
                }
                surplus.account();
            }
        }
        if (counted != KillBalance.UNKNOWN && balance.read() == counted) {
            // Nothing was killed meanwhile, so every counted kill is reported. The remaining difference belongs to
            // cgroups
            // that came and went unseen; it would hide a later kill.
            watcher.tree().absorbKills();
        }
        return true;
    }

    /** @param otherwise the candidates where the kill may be any of the surpluses; empty where it is this one */
    private void report(Surplus surplus, List<String> otherwise, Instant now, long nowNanos, boolean recovered) {
        Cgroup countedBy = surplus.countedBy();
        CgroupAttribution attribution = surplus.cgroup() != null && otherwise.isEmpty()
                ? new CgroupAttribution(countedBy.path(), countedBy, countedBy, List.of(), List.of())
                : new CgroupAttribution(
                        "",
                        surplus.cgroup(),
                        countedBy,
                        otherwise.isEmpty() ? surplus.candidates() : otherwise,
                        List.of());
        long ordinal = 1 + (surplus.cgroup() != null ? countedBy.accountedKills() : countedBy.accountedTreeKills());
        OomKillEvent.Builder event = events.countedOnly(
                countedBy.inode(),
                surplus.cgroup() == null,
                ordinal,
                attribution.attribution(),
                new EventFactory.Times(-1, now, now, recovered));
        if (attribution.isKnown()) {
            addLimit(event, countedBy);
        }
        AfterKillReader.Raw raw = attribution.isKnown() && afterKill != null
                ? afterKill.read(countedBy, null).orElse(null)
                : null;
        Cgroup above = countedBy.atOrAbove(event.getIncident().getLimit().getCgroup());
        Incident sampled = attribution.isKnown()
                ? (above == null ? countedBy : above).sampledBefore(nowNanos).orElse(null)
                : null;
        KillReport report = new KillReport(event.build(), raw, null, sampled);
        reports.accept(report);
        balance.onKill();
        killsWithoutRecord++;
        if (countedOnly.size() == MAX_COUNTED_ONLY) {
            countedOnly.removeFirst();
        }
        countedOnly.addLast(new CountedOnly(countedBy, report));
    }

    /** The only cgroup at or above the victim's with an {@code oom} counter that moved is the one at its limit. */
    private void addLimit(OomKillEvent.Builder event, Cgroup victims) {
        Limit.Builder limit = Limit.newBuilder();
        List<Evidence> sources = limits == null ? List.of() : limits.find(limit, victims, 0, true);
        if (!sources.isEmpty()) {
            EventFactory.setLimit(event.setScope(Scope.MEMCG), limit).addAllEvidence(sources);
        }
    }

    /** No record is missing: the surplus belongs to the unplaced kills. One of each names the cgroup. */
    private void place(List<Surplus> surpluses) {
        if (surpluses.size() == 1 && unplaced.size() == 1 && surpluses.get(0).cgroup() != null) {
            KillReport report = unplaced.get(0).report();
            OomKillEvent.Builder better = report.event().toBuilder()
                    .setCgroupPath(surpluses.get(0).countedBy().path())
                    .clearCandidates()
                    .clearCandidatesOmitted()
                    .addAllEvidence(EventFactory.withCounter(report.event()))
                    .setCertainty(Certainty.CONFIRMED);
            if (better.getScope() == Scope.MEMCG
                    && better.getIncident().getLimit().getCgroup().isEmpty()) {
                addLimit(better, surpluses.get(0).countedBy());
            }
            reports.accept(report.revised(better));
            unplaced.clear();
        }
        surpluses.forEach(Surplus::account);
        unplaced.subList(0, Math.min(unplaced.size(), surpluses.size())).clear();
    }
}
