package dev.exit137.cli.options;

import dev.exit137.cli.options.EventKinds.Kind;
import dev.exit137.cli.render.OutputFormat;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Which kinds of events a command follows. */
public final class KindOptions {
    @Option(
            names = "--kind",
            paramLabel = "oom,exit|all",
            converter = EventKinds.Converter.class,
            description =
                    "Kinds of events: OOM kills, ends of containers and services, or all. With it, each object of "
                            + "JSON has a field kind (default: all as text, oom as JSON).")
    private Optional<EventKinds> kinds = Optional.empty();

    /** Whether a person asked for kinds: then JSON names them. */
    public boolean isGiven() {
        return kinds.isPresent();
    }

    /**
     * The kinds that are asked for, or usual.
     *
     * @param killsOnly whether another flag selects OOM kills
     */
    public EventKinds shown(OutputFormat format, boolean killsOnly) {
        return kinds.orElse(format == OutputFormat.JSON || killsOnly ? EventKinds.of(Kind.OOM) : EventKinds.ALL);
    }
}
