package dev.exit137.agent.exit;

import com.google.protobuf.Timestamp;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.RuntimeAction;
import dev.exit137.exitreport.facts.RuntimeAction.Kind;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import dev.exit137.proto.v1.ProcessRef;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One end of a container, while more may be learnt about it. Its time is the earliest that a source names, because the
 * end is before every report of it; once it is delivered, the time stays, because it is a part of the event's id.
 * Agent-identity thread.
 */
public final class ContainerEnding {
    private static final int MAX_ACTIONS = 32;

    private final Set<Evidence> evidence = EnumSet.noneOf(Evidence.class);
    private final List<RuntimeAction> actions = new ArrayList<>();
    private final @Nullable Integer pid;
    private Instant endedAt;
    private Instant latestReport;
    private ContainerEnd facts;
    private ContainerSubject subject;
    private @Nullable String logMissing;
    private @Nullable End delivered;

    ContainerEnding(ContainerEnd facts, List<RuntimeAction> actions, ContainerSubject subject, @Nullable Integer pid) {
        endedAt = facts.endedAt();
        latestReport = facts.reportedAt();
        this.facts = facts;
        this.subject = subject;
        this.pid = pid;
        evidence.add(facts.source());
        addAll(actions);
    }

    Instant endedAt() {
        return endedAt;
    }

    /** Returns when a source last told of it. */
    Instant latestReport() {
        return latestReport;
    }

    boolean isDelivered() {
        return delivered != null;
    }

    boolean hasEvidence(Evidence source) {
        return evidence.contains(source);
    }

    /** A source says more. */
    public void add(ContainerEnd more) {
        evidence.add(more.source());
        facts = facts.with(more);
        if (delivered == null && more.endedAt().isBefore(endedAt)) {
            endedAt = more.endedAt();
        }
        if (more.reportedAt().isAfter(latestReport)) {
            latestReport = more.reportedAt();
        }
    }

    /** The container's name, or its main pid, is known now. */
    public void add(ContainerSubject known) {
        subject = new ContainerSubject(
                known.container().getId().isEmpty() ? subject.container() : known.container(),
                known.composeLabels().isEmpty() ? subject.composeLabels() : known.composeLabels(),
                known.mainPid() == null ? subject.mainPid() : known.mainPid());
    }

    void add(RuntimeAction action) {
        if (actions.size() < MAX_ACTIONS && !actions.contains(action)) {
            actions.add(action);
        }
    }

    void addAll(Collection<RuntimeAction> more) {
        more.forEach(this::add);
    }

    /**
     * The runtime's log may say who asked.
     *
     * @param missing why it cannot, fit for a user; empty if it was read
     */
    public void ofLog(String missing) {
        logMissing = missing;
    }

    /** Returns the end as it is known now; empty if it has been taken before, or its code is not known. */
    Optional<End> next() {
        Integer code = facts.exitCode();
        if (code == null) {
            return Optional.empty();
        }
        End now = new End(event(code), actionsInOrder(), null, logMissing);
        if (now.equals(delivered)) {
            return Optional.empty();
        }
        delivered = now;
        return Optional.of(now);
    }

    private List<RuntimeAction> actionsInOrder() {
        List<RuntimeAction> all = new ArrayList<>(actions);
        if (!evidence.contains(Evidence.DOCKER)) {
            // kubelet stops a container that has ended by itself, too.
            all.removeIf(action -> action.kind().isRequested() && action.time().isAfter(endedAt));
        }
        if (facts.oomKilled() && actions.stream().noneMatch(action -> action.kind() == Kind.OOM)) {
            // The flag has no time; the kill was before the end.
            all.add(new RuntimeAction(Kind.OOM, endedAt, null, null));
        }
        if (facts.startFailure() != null) {
            all.add(new RuntimeAction(Kind.START_FAILED, endedAt, null, null, facts.startFailure()));
        }
        all.sort(Comparator.comparing(RuntimeAction::time));
        return all;
    }

    private ExitEvent event(int code) {
        Timestamp end = EventFactory.timestamp(endedAt);
        ExitEvent.Builder event = ExitEvent.newBuilder()
                .setSubject(ExitEvent.Subject.CONTAINER)
                .setContainer(container())
                .putAllComposeLabels(subject.composeLabels())
                .setExitCode(code)
                .setTime(end)
                .setEndedAt(end)
                .addAllEvidence(evidence)
                .setSettings(facts.settings());
        if (facts.startedAt() != null) {
            event.setStartedAt(EventFactory.timestamp(facts.startedAt()));
        }
        Integer mainPid = facts.pid() != null ? facts.pid() : pid != null ? pid : subject.mainPid();
        if (mainPid != null) {
            event.setProcess(ProcessRef.newBuilder().setPid(mainPid));
        }
        return event.build();
    }

    /** What the runtime was asked before the end has the names; the report of the end may have a part of them. */
    private Container container() {
        return facts.container().toBuilder().mergeFrom(subject.container()).build();
    }
}
