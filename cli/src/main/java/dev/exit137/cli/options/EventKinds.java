package dev.exit137.cli.options;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * The kinds of events that a command shows.
 *
 * @param kinds at least one
 */
public record EventKinds(Set<Kind> kinds) {
    /** A kind of events. */
    public enum Kind {
        /** A process that the kernel killed for memory. */
        OOM,
        /** An end of a container, a service or a process. */
        EXIT
    }

    /** All kinds. */
    public static final EventKinds ALL = new EventKinds(EnumSet.allOf(Kind.class));

    private static final String NOT_YET = "pressure";

    public EventKinds {
        kinds = Set.copyOf(kinds);
    }

    /** One kind. */
    public static EventKinds of(Kind kind) {
        return new EventKinds(Set.of(kind));
    }

    /** Whether events of this kind are among them. */
    public boolean has(Kind kind) {
        return kinds.contains(kind);
    }

    /** Converts the option's text. */
    public static final class Converter implements ITypeConverter<EventKinds> {
        @Override
        public EventKinds convert(String text) {
            EnumSet<Kind> kinds = EnumSet.noneOf(Kind.class);
            for (String name : List.of(text.toLowerCase(Locale.ROOT).split(",", -1))) {
                if (name.equals(NOT_YET)) {
                    throw new TypeConversionException("pressure events are not there yet: give oom, exit or all");
                }
                EnumSet<Kind> named = name.equals("all") ? EnumSet.allOf(Kind.class) : EnumSet.noneOf(Kind.class);
                Arrays.stream(Kind.values())
                        .filter(kind -> kind.name().equalsIgnoreCase(name))
                        .forEach(named::add);
                if (named.isEmpty()) {
                    throw new TypeConversionException(
                            "'" + name + "' is not a kind of events: give oom, exit or all, several with commas");
                }
                kinds.addAll(named);
            }
            return new EventKinds(kinds);
        }
    }
}
