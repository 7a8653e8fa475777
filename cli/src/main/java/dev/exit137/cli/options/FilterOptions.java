package dev.exit137.cli.options;

import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.OomKillEvent;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** The flags that select events. An event must match all of them. */
public final class FilterOptions {
    private static final String TIME = "an instant (2026-05-01T12:30:00Z) or a duration back from now (15m, 2h, 1d)";

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Option(names = "--node", paramLabel = "NAME", description = "Only events of this node.")
    private String node;

    @Option(names = "--namespace", paramLabel = "NAME", description = "Only victims in this Kubernetes namespace.")
    private String namespace;

    @Option(names = "--pod", paramLabel = "NAME|UID", description = "Only victims in this pod.")
    private String pod;

    @Option(names = "--container", paramLabel = "NAME|ID", description = "Only victims in this container.")
    private String container;

    @Option(
            names = "--scope",
            paramLabel = "SCOPE",
            split = ",",
            description =
                    "Only these scopes: memcg (a cgroup's limit), global (the whole node), cpuset, memory_policy, "
                            + "unknown.")
    private List<OomKillEvent.Scope> scopes = List.of();

    @Option(names = "--since", paramLabel = "TIME", description = "Only kills at this time or later: " + TIME + ".")
    private Instant since;

    @Option(names = "--until", paramLabel = "TIME", description = "Only kills before this time, in the same format.")
    private Instant until;

    /**
     * These flags as the filter of a request.
     *
     * @throws ParameterException the time range is empty
     */
    public EventFilter filter() {
        EventFilter.Builder filter = EventFilter.newBuilder();
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
        filter.addAllScopes(scopes);
        if (since != null) {
            filter.setSince(EventFactory.timestamp(since));
        }
        if (until != null) {
            filter.setUntil(EventFactory.timestamp(until));
        }
        if (since != null && until != null && !since.isBefore(until)) {
            throw new ParameterException(
                    command.commandLine(), "--since (" + since + ") must be earlier than --until (" + until + ")");
        }
        return filter.build();
    }

    /**
     * A scope by its name, in any case.
     *
     * @throws TypeConversionException the name is unknown; the message lists the known scopes
     */
    public static OomKillEvent.Scope scope(String text) {
        return Arrays.stream(OomKillEvent.Scope.values())
                .filter(scope ->
                        scope != OomKillEvent.Scope.UNRECOGNIZED && scope.name().equalsIgnoreCase(text))
                .findFirst()
                .orElseThrow(
                        () -> new TypeConversionException(
                                "'" + text.toLowerCase(Locale.ROOT)
                                        + "' is not a scope: give memcg, global, cpuset, memory_policy or unknown, several with commas"));
    }
}
