package dev.exit137.cli.options;

import dev.exit137.cli.render.OutputFormat;
import picocli.CommandLine.Option;

/** How results are printed. */
public final class OutputOptions {
  @Option(
      names = {"-o", "--output"},
      paramLabel = "text|json",
      defaultValue = "text",
      description = "text, one line each for a person, or json, one object per line (default: ${DEFAULT-VALUE}).")
  private OutputFormat format;

  /** How results are printed. */
  public OutputFormat format() {
    return format;
  }
}
