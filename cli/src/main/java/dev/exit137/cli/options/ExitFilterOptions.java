package dev.exit137.cli.options;

import dev.exit137.exitreport.words.ExitCodes;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitFilter;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.TypeConversionException;

/** The flags that select ends of containers and services. */
public final class ExitFilterOptions extends PlaceOptions {
    @Option(names = "--unit", paramLabel = "NAME", description = "Only ends of this systemd unit.")
    private Optional<String> unit;

    @Option(
            names = "--cause",
            paramLabel = "CAUSE",
            split = ",",
            description = "Only these causes, such as oom_kill, stop_timeout, host_process or unknown.")
    private List<ExitEvent.Cause> causes = List.of();

    @Option(
            names = "--code",
            paramLabel = "N",
            split = ",",
            description = "Only these exit codes, 0 to 255; 137 is SIGKILL.")
    private List<Integer> codes = List.of();

    /**
     * These flags as the filter of a request.
     *
     * @throws ParameterException the time range is empty, or a code is out of range
     */
    public ExitFilter filter() {
        ExitFilter.Builder filter = ExitFilter.newBuilder().addAllCauses(causes).setUnit(unit.orElse(""));
        fill(filter);
        for (int code : codes) {
            if (code < 0 || code > ExitCodes.MAX) {
                throw new ParameterException(
                        command.commandLine(),
                        "--code must be a number from 0 to " + ExitCodes.MAX + ", and is " + code);
            }
            filter.addExitCodes(code);
        }
        return filter.build();
    }

    /**
     * A cause by its name, in any case, with - or _.
     *
     * @throws TypeConversionException the name is unknown; the message lists the known causes
     */
    public static ExitEvent.Cause cause(String text) {
        return causes().filter(cause -> cause.name().equalsIgnoreCase(text.replace('-', '_')))
                .findFirst()
                .orElseThrow(() -> new TypeConversionException("'" + text.toLowerCase(Locale.ROOT)
                        + "' is not a cause: give one or several with commas of "
                        + causes().map(cause -> cause.name().toLowerCase(Locale.ROOT))
                                .collect(Collectors.joining(", "))));
    }

    private static Stream<ExitEvent.Cause> causes() {
        return Arrays.stream(ExitEvent.Cause.values()).filter(cause -> cause != ExitEvent.Cause.UNRECOGNIZED);
    }
}
