package dev.exit137.cli.render;

/** How results are printed. */
public enum OutputFormat {
  /** For a person. */
  TEXT,
  /** For a program: the protobuf JSON mapping, one object per line. */
  JSON
}
