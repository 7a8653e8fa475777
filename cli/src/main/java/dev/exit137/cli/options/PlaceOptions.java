package dev.exit137.cli.options;

import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.ExitFilter;
import java.time.Instant;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The flags that select events of any kind by place and time. An event must match all of them. */
public abstract class PlaceOptions {
    private static final String TIME = "an instant (2026-05-01T12:30:00Z) or a duration back from now (15m, 2h, 1d)";

    @Spec(Spec.Target.MIXEE)
    CommandSpec command;

    @Option(names = "--node", paramLabel = "NAME", description = "Only events of this node.")
    private String node;

    @Option(names = "--namespace", paramLabel = "NAME", description = "Only events in this Kubernetes namespace.")
    private String namespace;

    @Option(names = "--pod", paramLabel = "NAME|UID", description = "Only events in this pod.")
    private String pod;

    @Option(names = "--container", paramLabel = "NAME|ID", description = "Only events in this container.")
    private String container;

    @Option(names = "--since", paramLabel = "TIME", description = "Only events at this time or later: " + TIME + ".")
    private Instant since;

    @Option(names = "--until", paramLabel = "TIME", description = "Only events before this time, in the same format.")
    private Instant until;

    /** Sets the filter of OOM kills by place and time. */
    void fill(EventFilter.Builder filter) {
        checkTimes();
        if (node != null) {
            filter.setNode(node);
        }
        if (namespace != null) {
            filter.setNamespace(namespace);
        }
        if (pod != null) {
            filter.setPod(pod);
        }
        if (container != null) {
            filter.setContainer(container);
        }
        if (since != null) {
            filter.setSince(EventFactory.timestamp(since));
        }
        if (until != null) {
            filter.setUntil(EventFactory.timestamp(until));
        }
    }

    /** Sets the filter of ends in the same way. */
    void fill(ExitFilter.Builder filter) {
        EventFilter.Builder same = EventFilter.newBuilder();
        fill(same);
        filter.setNode(same.getNode())
                .setNamespace(same.getNamespace())
                .setPod(same.getPod())
                .setContainer(same.getContainer());
        if (same.hasSince()) {
            filter.setSince(same.getSince());
        }
        if (same.hasUntil()) {
            filter.setUntil(same.getUntil());
        }
    }

    private void checkTimes() {
        if (since != null && until != null && !since.isBefore(until)) {
            throw new ParameterException(
                    command.commandLine(), "--since (" + since + ") must be earlier than --until (" + until + ")");
        }
    }
}
