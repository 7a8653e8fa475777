package dev.exit137.oomreport.dump;

import dev.exit137.oomreport.parse.Corpus;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Victim;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Reports for tests, as latin-1 strings: one char is one byte. */
final class Reports {
    private static final Path FIXTURES = Path.of("src/test/resources/kmsg");

    private Reports() {}

    static Incident read(String... lines) {
        return read(new DumpParser(), Victim.getDefaultInstance(), lines);
    }

    static Incident read(DumpParser parser, Victim victim, String... lines) {
        for (String line : lines) {
            offer(parser, line);
        }
        return incident(parser, victim);
    }

    static Incident incident(DumpParser parser, Victim victim) {
        Incident.Builder incident = Incident.newBuilder();
        parser.addTo(incident, victim);
        return incident.build();
    }

    static boolean offer(DumpParser parser, String line) {
        byte[] bytes = bytes(line);
        return parser.onLine(bytes, 0, bytes.length);
    }

    static byte[] bytes(String latin1) {
        return latin1.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** The messages of the records that one of our kernels printed. */
    static List<String> fixture(String name) {
        return lines(FIXTURES.resolve(name)).stream()
                .filter(line -> line.matches("\\d+,\\d+,\\d+,.*"))
                .map(line -> line.substring(line.indexOf(';') + 1))
                .toList();
    }

    static Incident readFixture(String name) {
        DumpParser parser = new DumpParser();
        byte[] text = bytes(String.join("\n", fixture(name)));
        parser.onText(text, text.length);
        return incident(parser, Victim.getDefaultInstance());
    }

    static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file, StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A whole file of a kernel's messages. */
    record Log(String name, List<String> lines) {}

    /** Where they come from. */
    enum Source {
        /** From kernels of our own. */
        RECORDED {
            @Override
            List<Log> logs() {
                try (Stream<Path> files = Files.list(FIXTURES)) {
                    return files.map(file -> file.getFileName().toString())
                            .filter(name -> name.endsWith(".kmsg"))
                            .sorted()
                            .map(name -> new Log(
                                    name,
                                    fixture(name).stream()
                                            .flatMap(Source::apart)
                                            .toList()))
                            .toList();
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }
        },
        /** From kernels of others. Skips the test where there are none. */
        PUBLISHED {
            @Override
            List<Log> logs() {
                return Corpus.logs().stream()
                        .filter(file -> file.getFileName().toString().matches("\\d.*"))
                        .map(file -> new Log(file.getFileName().toString(), Reports.lines(file)))
                        .toList();
            }
        };

        abstract List<Log> logs();

        /** Mem-Info is one record of many lines, which dmesg shows as such; a name's newline it does not. */
        private static Stream<String> apart(String message) {
            return message.startsWith("active_anon:") ? Stream.of(message.split("\\\\x0a")) : Stream.of(message);
        }
    }

    /** The lines of a log, cut where another report begins. */
    static List<List<String>> reports(Log log) {
        List<List<String>> reports = new ArrayList<>();
        reports.add(new ArrayList<>());
        for (String line : log.lines) {
            if (line.contains("invoked oom-killer")) {
                reports.add(new ArrayList<>());
            }
            reports.getLast().add(line);
        }
        return reports;
    }

    /** Offers a line of a log from where it begins and from behind whatever may be a prefix, until it is taken. */
    static boolean offerFromAnywhere(DumpParser parser, String line) {
        byte[] bytes = bytes(line);
        for (int i = 0; i < bytes.length; i++) {
            boolean afterPrefix =
                    i == 0 || bytes[i - 1] == ' ' || bytes[i - 1] == ']' || bytes[i - 1] == ';' || bytes[i - 1] == '>';
            if (afterPrefix && parser.onLine(bytes, i, bytes.length)) {
                return true;
            }
        }
        return false;
    }
}
