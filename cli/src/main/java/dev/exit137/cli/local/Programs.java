package dev.exit137.cli.local;

import java.io.IOException;

/** Runs programs of the host that only read. */
public interface Programs {
    /**
     * What a program printed.
     *
     * @param out stdout
     * @param error the first line of stderr; empty for none
     */
    record Output(int exitCode, String out, String error) {
        boolean succeeded() {
            return exitCode == 0;
        }
    }

    /**
     * Runs it to its end.
     *
     * @throws IOException it is not installed, cannot be run, or takes too long; the message says it to a person
     */
    Output run(String... command) throws IOException;
}
