package dev.exit137.cli.options;

import dev.exit137.proto.v1.SummarizeEventsRequest.Dimension;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * The keys by which a summary groups events.
 *
 * @param dimensions keys that are fields of an event
 * @param labels keys that are labels, by their names
 */
public record SummaryKeys(List<Dimension> dimensions, List<String> labels) {
    /** The keys in their written form, for help and messages. */
    public static final String NAMES =
            "namespace, pod, container, unit, node, scope, limit-owner, label:NAME, and of ends cause, code";

    /** The keys of a summary of OOM kills without --by. */
    public static final SummaryKeys OF_KILLS =
            new SummaryKeys(List.of(Dimension.NAMESPACE, Dimension.CONTAINER), List.of());

    /** The same for ends. */
    public static final SummaryKeys OF_EXITS =
            new SummaryKeys(List.of(Dimension.CAUSE, Dimension.EXIT_CODE), List.of());

    private static final String LABEL = "label:";
    private static final Map<String, Dimension> DIMENSIONS = Map.of(
            "namespace", Dimension.NAMESPACE,
            "pod", Dimension.POD,
            "container", Dimension.CONTAINER,
            "unit", Dimension.UNIT,
            "node", Dimension.NODE,
            "scope", Dimension.SCOPE,
            "limit-owner", Dimension.LIMIT_OWNER,
            "cause", Dimension.CAUSE,
            "code", Dimension.EXIT_CODE);

    /**
     * The keys that the text names, separated by commas.
     *
     * @throws IllegalArgumentException a name is not a key, or is given twice; the message contains the name
     */
    public static SummaryKeys parse(String text) {
        List<Dimension> dimensions = new ArrayList<>();
        List<String> labels = new ArrayList<>();
        for (String name : text.equals("none") ? new String[0] : text.split(",", -1)) {
            boolean added;
            if (name.startsWith(LABEL) && name.length() > LABEL.length()) {
                String label = name.substring(LABEL.length());
                added = !labels.contains(label) && labels.add(label);
            } else if (DIMENSIONS.containsKey(name)) {
                added = !dimensions.contains(DIMENSIONS.get(name)) && dimensions.add(DIMENSIONS.get(name));
            } else {
                throw new IllegalArgumentException(
                        "'" + name + "' is nothing to count by: give " + NAMES + ", or none");
            }
            if (!added) {
                throw new IllegalArgumentException("'" + name + "' is given twice");
            }
        }
        return new SummaryKeys(dimensions, labels);
    }

    /** Whether a key is one that only ends have. */
    public boolean needsExits() {
        return dimensions.contains(Dimension.CAUSE) || dimensions.contains(Dimension.EXIT_CODE);
    }

    /** Converts the option's text. */
    public static final class Converter implements ITypeConverter<SummaryKeys> {
        @Override
        public SummaryKeys convert(String text) {
            try {
                return parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}
