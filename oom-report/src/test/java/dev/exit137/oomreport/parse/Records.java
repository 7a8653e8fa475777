package dev.exit137.oomreport.parse;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Records for tests, as latin-1 strings: one char is one byte. */
final class Records {
    private static final Pattern RECORD_START = Pattern.compile("\\d+,\\d+,\\d+,.*", Pattern.DOTALL);
    private static final Path FIXTURES = Path.of("src/test/resources/kmsg");

    private Records() {}

    static byte[] bytes(String latin1) {
        return latin1.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** A record of the kernel with this message. */
    static byte[] of(String message) {
        return bytes("6,1,1000,-;" + message + "\n");
    }

    static KmsgRecordFlyweight wrap(byte[] record) {
        return new KmsgRecordFlyweight().wrap(record, 0, record.length);
    }

    static String message(byte[] record) {
        KmsgRecordFlyweight view = wrap(record);
        return new String(record, view.messageOffset(), view.messageLength(), StandardCharsets.ISO_8859_1);
    }

    /** The records that were saved from one kernel, in order. */
    static List<byte[]> fixture(String name) {
        List<byte[]> records = new ArrayList<>();
        StringBuilder current = new StringBuilder();
        for (String line : lines(FIXTURES.resolve(name))) {
            if (RECORD_START.matcher(line).matches() && !current.isEmpty()) {
                records.add(bytes(current.toString()));
                current.setLength(0);
            }
            current.append(line).append('\n');
        }
        records.add(bytes(current.toString()));
        return records;
    }

    /** The records of every kernel that was recorded. */
    static List<byte[]> fixtures() {
        try (Stream<Path> files = Files.list(FIXTURES)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".kmsg"))
                    .sorted()
                    .flatMap(name -> fixture(name).stream())
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file, StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
