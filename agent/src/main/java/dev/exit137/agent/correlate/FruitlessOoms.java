package dev.exit137.agent.correlate;

import dev.exit137.oomreport.incident.OomIncident;
import dev.exit137.oomreport.parse.ByteText;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * OOMs of a cgroup that has nothing to kill. Its processes ask for memory again and again, and the kernel prints a
 * whole report each time, more than a hundred a second. One event reports all of them, with their number. It is sent
 * again at most once a second. Owned by the agent-epoll thread.
 */
final class FruitlessOoms {
    private static final long SAME_WITHIN_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final long TOLD_EVERY_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final Consumer<KillReport> reports;
    private final ByteText cgroup = new ByteText(4096);
    private @Nullable KillReport report;
    private long repeats;
    private long repeatsTold;
    private long lastNanos;
    private long toldNanos;

    FruitlessOoms(Consumer<KillReport> reports) {
        this.reports = reports;
    }

    /** Counts the incident if it repeats the last one. Then it needs no event of its own. */
    boolean isRepeated(OomIncident incident, long nowNanos) {
        boolean repeated = report != null
                && isFruitless(incident)
                && nowNanos - lastNanos < SAME_WITHIN_NANOS
                && incident.oomMemcg().contentEquals(cgroup);
        if (repeated) {
            repeats++;
            lastNanos = nowNanos;
        }
        return repeated;
    }

    /** Remembers an incident without a kill, and its report. */
    void onReported(OomIncident incident, KillReport first, long nowNanos) {
        if (isFruitless(incident)) {
            tell(nowNanos);
            report = first;
            cgroup.copyFrom(incident.oomMemcg());
            repeats = 0;
            repeatsTold = 0;
            lastNanos = nowNanos;
            toldNanos = nowNanos;
        }
    }

    /** Sends the event again with the new number, if it is time and the number has grown. */
    void tick(long nowNanos) {
        if (nowNanos - toldNanos >= TOLD_EVERY_NANOS) {
            tell(nowNanos);
        }
    }

    private void tell(long nowNanos) {
        if (report != null && repeats > repeatsTold) {
            var better = report.event().toBuilder();
            better.getIncidentBuilder().setRepeatedReports(repeats);
            report = report.revised(better);
            repeatsTold = repeats;
            toldNanos = nowNanos;
            reports.accept(report);
        }
    }

    private static boolean isFruitless(OomIncident incident) {
        return incident.isNoKillableProcess()
                && !incident.isPanic()
                && !incident.oomMemcg().isEmpty();
    }
}
