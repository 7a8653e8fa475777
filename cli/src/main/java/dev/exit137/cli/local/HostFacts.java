package dev.exit137.cli.local;

import dev.exit137.cli.why.Fact;
import dev.exit137.oomreport.explain.Sizes;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Facts of the machine around an end: disks, logs of containers, its last start, who was logged in. */
final class HostFacts {
    private static final int FULL_PERCENT = 95;
    private static final int MAX_LOGS = 3;
    private static final long LARGE_LOG_BYTES = 100 << 20;
    private static final int MAX_LOGINS = 5;
    private static final Duration AFTER_START = Duration.ofMinutes(5);
    // 2026-11-30T10:00:01+00:00, and +0000 in versions before 2.27.
    private static final Pattern TIME = Pattern.compile("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d[+-]\\d\\d:?\\d\\d");
    private static final Pattern SPACES = Pattern.compile("\\s+");

    private final Host host;
    private final Programs programs;
    private final List<Fact> facts = new ArrayList<>();
    private final List<String> unread = new ArrayList<>();

    HostFacts(Host host, Programs programs) {
        this.host = host;
        this.programs = programs;
    }

    List<Fact> facts() {
        return facts;
    }

    List<String> unread() {
        return unread;
    }

    /** How full the file systems of these directories are; one that several of them are on counts once. */
    void addDisks(Path... directories) {
        Map<FileStore, List<String>> stores = new LinkedHashMap<>();
        for (Path directory : directories) {
            try {
                stores.computeIfAbsent(Files.getFileStore(directory), _ -> new ArrayList<>())
                        .add(directory.toString());
            } catch (IOException e) {
                unread.add("the file system of " + directory + ": " + e.getMessage());
            }
        }
        stores.forEach(this::addDisk);
    }

    private void addDisk(FileStore store, List<String> directories) {
        String name = "the file system of " + String.join(" and ", directories);
        try {
            long used = store.getTotalSpace() - store.getUnallocatedSpace();
            if (store.getTotalSpace() <= 0) {
                return;
            }
            long percent = 100 * used / store.getTotalSpace();
            facts.add(Fact.certain(name + " is " + percent + " % full now: " + Sizes.text(used) + " of "
                    + Sizes.text(store.getTotalSpace())));
            if (percent >= FULL_PERCENT) {
                facts.add(Fact.possible("it was as full when it ended, and a write failed for that"));
            }
        } catch (IOException e) {
            unread.add(name + ": " + e.getMessage());
        }
    }

    /** @param directory {@code containers} of Docker's root directory */
    void addLogs(Path directory) {
        record Log(Path file, long bytes) {}
        try (Stream<Path> files = Files.walk(directory, 2)) {
            List<Log> logs = new ArrayList<>();
            for (Path file :
                    files.filter(path -> path.toString().endsWith("-json.log")).toList()) {
                logs.add(new Log(file, Files.size(file)));
            }
            logs.stream()
                    .filter(log -> log.bytes() >= LARGE_LOG_BYTES)
                    .sorted(Comparator.comparingLong(Log::bytes).reversed())
                    .limit(MAX_LOGS)
                    .forEach(log -> facts.add(Fact.certain(
                            "a container's log is large: " + log.file() + ", " + Sizes.text(log.bytes()))));
        } catch (IOException | UncheckedIOException e) {
            unread.add("the logs of containers in " + directory + (Host.isRoot() ? "" : ": it needs root"));
        }
    }

    /** When the machine was started, and whether that was the end. */
    void addStart(Instant ended) {
        Optional<Instant> booted = host.booted();
        if (booted.isEmpty()) {
            unread.add("when the machine was started: " + host.proc().resolve("uptime"));
            return;
        }
        facts.add(Fact.certain("the machine runs since " + seconds(booted.get())));
        if (ended.isBefore(booted.get())) {
            facts.add(Fact.certain("it was started again after the end, and the kernel's log from before is gone"));
        } else if (ended.isBefore(booted.get().plus(AFTER_START))) {
            facts.add(Fact.possible("the end has to do with the start of the machine: it came within 5 minutes of it"));
        }
    }

    /**
     * Who was logged in at the end.
     *
     * @param mayHave what such a person may have done, of an end that nobody is known to have caused; empty of another
     */
    void addLogins(Instant ended, String mayHave) {
        List<String> lines;
        try {
            lines = programs.run("last", "-w", "-n", "200", "--time-format", "iso")
                    .out()
                    .lines()
                    .toList();
        } catch (IOException e) {
            unread.add("logins: " + e.getMessage());
            return;
        }
        int found = 0;
        for (String line : lines) {
            List<String> times =
                    TIME.matcher(line).results().map(MatchResult::group).toList();
            if (times.isEmpty() || line.startsWith("wtmp") || found >= MAX_LOGINS) {
                continue;
            }
            Optional<Instant> from = instant(times.getFirst());
            Optional<Instant> to = times.size() > 1 ? instant(times.get(1)) : Optional.empty();
            boolean during = from.isPresent()
                    && !from.get().isAfter(ended)
                    && (to.isEmpty() ? line.contains("still") : !to.get().isBefore(ended));
            if (line.startsWith("reboot")) {
                continue;
            }
            if (during) {
                String who = SPACES.matcher(line.substring(0, line.indexOf(times.getFirst()))
                                .strip())
                        .replaceAll(" ");
                String login = who + " was logged in since " + seconds(from.get());
                facts.add(mayHave.isEmpty() ? Fact.certain(login) : Fact.possible(mayHave + ": " + login));
                found++;
            }
        }
    }

    private static Optional<Instant> instant(String text) {
        String offset = text.substring(text.length() - 5);
        String iso = offset.contains(":")
                ? text
                : text.substring(0, text.length() - 2) + ":" + text.substring(text.length() - 2);
        try {
            return Optional.of(OffsetDateTime.parse(iso).toInstant());
        } catch (DateTimeException e) {
            return Optional.empty();
        }
    }

    static String seconds(Instant time) {
        return Instant.ofEpochSecond(time.getEpochSecond()).toString();
    }
}
