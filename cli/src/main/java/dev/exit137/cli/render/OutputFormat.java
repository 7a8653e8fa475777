package dev.exit137.cli.render;

/** The format of results. */
public enum OutputFormat {
    /** For a person. */
    TEXT,
    /** For a program: the protobuf JSON mapping, one object per line. */
    JSON
}
