package dev.exit137.agent.trace;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Reads and writes the small files of tracefs. Some of them ({@code header_page}, {@code filter}) give their content to the
 * first read only, and nothing to a second one (kernel/trace/trace_events.c), so the first one must have room for all.
 */
final class TraceFile {
    private static final int MAX_BYTES = 32 * 1024;

    private TraceFile() {}

    /** The content, without the white space around it. */
    static String read(Path file) throws IOException {
        byte[] bytes = new byte[MAX_BYTES];
        int length = 0;
        try (InputStream in = Files.newInputStream(file)) {
            int count;
            while (length < bytes.length && (count = in.read(bytes, length, bytes.length - length)) > 0) {
                length += count;
            }
        }
        return new String(bytes, 0, length, ISO_8859_1).strip();
    }

    /** Writes without truncating: that alone removes triggers, and renews the file's time. */
    static void write(Path file, String value) throws IOException {
        Files.writeString(file, value + "\n", StandardOpenOption.WRITE);
    }
}
