package dev.exit137.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * Compares {@code bin/exit137 analyze} in its text format with {@code grep -c}, on the same log in the page cache and
 * on the same processor. Whole programs run in turns, so the start of the JVM counts.
 */
final class AnalyzeBench {
    private static final long LOG_BYTES = 1_000_000_000;
    private static final int ROUNDS = 5;
    private static final String WORDS = "Killed process";

    private final Path log;
    private final Path out;
    private final List<String> analyze;
    private final List<String> analyzeToJson;
    private final List<String> grep;

    AnalyzeBench(Path root, Path work) {
        log = work.resolve("synthetic.log");
        out = work.resolve("analyze.out");
        String exit137 = root.resolve("bin/exit137").toString();
        analyze = onOneCpu(exit137, "analyze", log.toString());
        analyzeToJson = List.of(exit137, "analyze", "-o", "json", log.toString());
        grep = onOneCpu("grep", "-c", WORDS, log.toString());
    }

    private static List<String> onOneCpu(String... command) {
        List<String> whole = new ArrayList<>(List.of("taskset", "-c", "0"));
        whole.addAll(List.of(command));
        return whole;
    }

    List<Figure> run(Path fixtures) throws IOException, InterruptedException {
        System.err.println("bench: writing a log of " + LOG_BYTES / 1_000_000 + " MB");
        int kills = new SyntheticLog(fixtures).write(log, LOG_BYTES);
        double megabytes = Files.size(log) / 1e6;
        System.err.println("bench: analyze and grep by turns, " + ROUNDS + " rounds");
        run(grep);
        double[] analyzeSeconds = new double[ROUNDS];
        double[] grepSeconds = new double[ROUNDS];
        for (int round = 0; round < ROUNDS; round++) {
            grepSeconds[round] = run(grep);
            analyzeSeconds[round] = run(analyze);
        }
        run(analyzeToJson);
        long told = victims();
        run(grep);
        long counted = Long.parseLong(Files.readString(out).trim());
        double ours = megabytes / median(analyzeSeconds);
        double theirs = megabytes / median(grepSeconds);
        return List.of(
                Figure.atLeast("analyze: a log of " + Math.round(megabytes) + " MB, one core", ours, 300, " MB/s"),
                Figure.plain("  grep -c \"" + WORDS + "\", the same log and core", Math.round(theirs) + " MB/s"),
                Figure.plain("  analyze / grep", String.format("%.2f", ours / theirs)),
                new Figure(
                        "  kills: analyze tells, grep counts (" + kills + " were written)",
                        told + ", " + counted,
                        "equal",
                        told == kills && counted == kills));
    }

    private double run(List<String> command) throws IOException, InterruptedException {
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().put("LC_ALL", "C");
        long start = System.nanoTime();
        int status = builder.start().waitFor();
        double seconds = (System.nanoTime() - start) / 1e9;
        if (status != 0) {
            throw new IOException(String.join(" ", command) + " ended with " + status);
        }
        return seconds;
    }

    private long victims() throws IOException {
        try (Stream<String> events = Files.lines(out)) {
            return events.filter(event -> event.contains("\"victim\"")).count();
        }
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
