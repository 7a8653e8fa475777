package dev.exit137.cli.options;

import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.ExitFilter;
import dev.exit137.proto.v1.OomKillEvent;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.TypeConversionException;

/** The flags that select OOM kills, and with them other events. */
public final class FilterOptions extends PlaceOptions {
    @Option(
            names = "--scope",
            paramLabel = "SCOPE",
            split = ",",
            description =
                    "Only these scopes: memcg (a cgroup's limit), global (the whole node), cpuset, memory_policy, "
                            + "unknown.")
    private List<OomKillEvent.Scope> scopes = List.of();

    /**
     * These flags as the filter of OOM kills.
     *
     * @throws ParameterException the time range is empty
     */
    public EventFilter filter() {
        EventFilter.Builder filter = EventFilter.newBuilder().addAllScopes(scopes);
        fill(filter);
        return filter.build();
    }

    /** Whether they select OOM kills only: an end has no scope. */
    public boolean selectsKillsOnly() {
        return !scopes.isEmpty();
    }

    /**
     * These flags as the filter of ends.
     *
     * @throws ParameterException the time range is empty, or a scope is given
     */
    public ExitFilter exitFilter() {
        if (selectsKillsOnly()) {
            throw new ParameterException(
                    command.commandLine(), "--scope selects OOM kills, and --kind asks for ends: give one of them");
        }
        ExitFilter.Builder filter = ExitFilter.newBuilder();
        fill(filter);
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
