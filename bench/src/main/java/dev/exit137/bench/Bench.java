package dev.exit137.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * {@code make bench}: runs every benchmark under the launcher's flags and prints one table, line by line. {@code Bench
 * ROOT} takes the repository's top level and writes below {@code bench/target}. {@code Bench ROOT load} measures only
 * the aggregator, {@code Bench ROOT footprint} only the agent's cost on a node. A missed target is reported, but does
 * not fail the run.
 */
public final class Bench {
    private static final int MAX_FILL_RECORDS = 20_000;

    private final Path root;
    private final Path work;
    private final Path fixtures;
    private final List<String> jvmFlags;

    private Bench(Path root) throws IOException {
        this.root = root.toAbsolutePath().normalize();
        work = Files.createDirectories(this.root.resolve("bench/target/work"));
        fixtures = this.root.resolve("oom-report/src/test/resources/kmsg");
        jvmFlags = List.of(jvmFlags().split(" "));
    }

    /** Runs all benchmarks, or the one in the arguments. */
    public static void main(String[] args) throws Exception {
        Bench bench = new Bench(Path.of(args[0]));
        System.out.printf(
                "exit137 on Linux %s, %s, %d CPUs, Java %s%n%s%n",
                System.getProperty("os.version"),
                cpuModel(),
                Runtime.getRuntime().availableProcessors(),
                Runtime.version(),
                String.join(" ", bench.jvmFlags));
        if (args.length > 1) {
            switch (args[1]) {
                case "load" -> bench.load();
                case "footprint" -> bench.footprint();
                case "trace" -> bench.trace();
                default -> throw new IllegalArgumentException("ONLY=" + args[1] + ": load, footprint or trace");
            }
            return;
        }
        bench.reader().forEach(System.out::println);
        bench.parser().forEach(System.out::println);
        new AnalyzeBench(bench.root, bench.work).run(bench.fixtures).forEach(System.out::println);
        bench.footprint();
        bench.trace();
        bench.load();
    }

    private void footprint() throws Exception {
        System.err.println("bench: what the agent costs a node");
        new FootprintBench(root, work).run().forEach(System.out::println);
    }

    private void trace() throws Exception {
        System.err.println("bench: what the kernel's trace of signals costs, and how soon an end is told");
        new TraceBench(root, work).run().forEach(System.out::println);
        new ExitLatencyBench(root, work).run().forEach(System.out::println);
    }

    private void load() throws Exception {
        System.err.println("bench: the agent while cgroups come and go");
        new AgentBench(root, work).run().forEach(System.out::println);
        new LoadBench(root, work, fixtures).run(System.out::println);
    }

    private List<Figure> reader() throws IOException, InterruptedException {
        System.err.println("bench: the reader and a C loop on /dev/kmsg by turns");
        Path kmsgbench = work.resolve("kmsgbench");
        Path source = root.resolve("native-test/src/main/c/kmsgbench.c");
        output(List.of("gcc", "-O2", "-o", kmsgbench.toString(), source.toString()));
        List<String> command = new ArrayList<>(
                List.of(Path.of(System.getProperty("java.home"), "bin/java").toString()));
        command.addAll(jvmFlags);
        command.addAll(List.of(
                "-cp", System.getProperty("java.class.path"), ReaderBench.class.getName(), kmsgbench.toString()));
        String[] result;
        try {
            output(List.of(kmsgbench.toString(), "fill", String.valueOf(MAX_FILL_RECORDS)));
            result = output(command).trim().split(" ");
        } catch (IOException e) {
            return List.of(Figure.plain("reader / C loop on /dev/kmsg: not measured, needs root and /dev/kmsg", ""));
        }
        double ours = Double.parseDouble(result[3]);
        double theirs = Double.parseDouble(result[4]);
        return List.of(
                Figure.atLeast(
                        "reader / C loop on /dev/kmsg, " + result[0] + " records, " + result[1] + " of the kernel",
                        Double.parseDouble(result[5]),
                        0.9,
                        ""),
                Figure.plain("  reader: read, copy, prefix, facility, parse", Math.round(1e6 / ours) + " records/ms"),
                Figure.plain("  C: read, memmem \"Killed process\"", Math.round(1e6 / theirs) + " records/ms"));
    }

    private List<Figure> parser() throws RunnerException {
        System.err.println("bench: the parser (JMH)");
        Collection<RunResult> results = new Runner(new OptionsBuilder()
                        .include(ParserBench.class.getName())
                        .param("fixtures", fixtures.toString())
                        .jvmArgs(jvmFlags.toArray(String[]::new))
                        .addProfiler(GCProfiler.class)
                        .verbosity(VerboseMode.SILENT)
                        .result(work.resolve("jmh.json").toString())
                        .resultFormat(ResultFormatType.JSON)
                        .build())
                .run();
        List<Figure> figures = new ArrayList<>();
        double allocated = 0;
        for (RunResult result : results) {
            double nanos = result.getPrimaryResult().getScore();
            figures.add(
                    switch (ParserBench.Records.valueOf(result.getParams().getParam("records"))) {
                        case ORDINARY -> Figure.atMost("parser: an ordinary record", nanos, 50, " ns");
                        case KILLED -> Figure.atMost("parser: a `Killed process` record", nanos, 400, " ns");
                        case SUMMARY -> Figure.plain("parser: an `oom-kill:` summary", Math.round(nanos) + " ns");
                    });
            allocated = Math.max(
                    allocated,
                    result.getSecondaryResults().get("gc.alloc.rate.norm").getScore());
        }
        // JMH itself allocates a little now and then; an allocation per record would show as one object of at least 8
        // bytes.
        figures.add(
                Figure.atMost("parser: allocated per record, the worst of the three", Math.rint(allocated), 0, " B"));
        return figures;
    }

    /** Returns the standard output of a program; throws if the program fails. */
    private static String output(List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), UTF_8);
        int status = process.waitFor();
        if (status != 0) {
            throw new IOException(String.join(" ", command) + " ended with " + status);
        }
        return output;
    }

    private static String jvmFlags() throws IOException {
        Properties properties = new Properties();
        try (InputStream in = Bench.class.getResourceAsStream("/bench.properties")) {
            properties.load(in);
        }
        return properties.getProperty("exit137.jvm.flags");
    }

    private static String cpuModel() throws IOException {
        return Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
                .filter(line -> line.startsWith("model name"))
                .findFirst()
                .map(line -> line.substring(line.indexOf(':') + 1).trim())
                .orElse(System.getProperty("os.arch"));
    }
}
