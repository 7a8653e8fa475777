package dev.exit137.cli.options;

import dev.exit137.cli.render.OutputFormat;
import picocli.CommandLine.Option;

/** The flag for the format of the results. */
public final class OutputOptions {
    @Option(
            names = {"-o", "--output"},
            paramLabel = "text|json",
            defaultValue = "text",
            description =
                    "Output format: text for people, or json with one object per line (default: ${DEFAULT-VALUE}).")
    private OutputFormat format;

    /** The format of the results. */
    public OutputFormat format() {
        return format;
    }
}
