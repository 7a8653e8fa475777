package dev.exit137.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.exit137.oomreport.parse.KmsgRecordFlyweight;
import dev.exit137.oomreport.parse.OomLine;
import dev.exit137.oomreport.parse.OomLineParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** Time to parse one record of /dev/kmsg, from its bytes in the buffer to the parsed fields. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(3)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 5, time = 1)
public class ParserBench {
    /** Many records, so that neither the branch predictor nor a cache sees the same record again and again. */
    private static final int RECORDS = 256;

    /** The kind of the records: ordinary messages of drivers, {@code Killed process} lines, summaries. */
    public enum Records {
        ORDINARY,
        KILLED,
        SUMMARY
    }

    @Param
    public Records records;

    /** The directory of the reports that the project's own test kernels printed. */
    @Param("")
    public String fixtures;

    private final KmsgRecordFlyweight kmsgRecord = new KmsgRecordFlyweight();
    private final OomLineParser parser = new OomLineParser();
    private final OomLine line = new OomLine();
    private final byte[][] buffers = new byte[RECORDS][];

    /** Fills each buffer with one record. */
    @Setup
    public void fill() throws IOException {
        List<byte[]> examples = switch (records) {
            case ORDINARY -> examples(ordinary(), OomLine.Kind.NONE);
            case KILLED -> examples(recorded(), OomLine.Kind.KILLED);
            case SUMMARY -> examples(recorded(), OomLine.Kind.SUMMARY);
        };
        for (int i = 0; i < RECORDS; i++) {
            buffers[i] = examples.get(i % examples.size()).clone();
        }
    }

    private List<byte[]> examples(List<String> kmsg, OomLine.Kind kind) {
        return kmsg.stream()
                .map(example -> (example + '\n').getBytes(UTF_8))
                .filter(bytes -> {
                    parser.parse(kmsgRecord.wrap(bytes, 0, bytes.length), line);
                    return kmsgRecord.isValid() && line.kind() == kind;
                })
                .toList();
    }

    private static List<String> ordinary() {
        List<String> kmsg = new ArrayList<>();
        for (String message : SyntheticLog.ordinaryMessages()) {
            int number = kmsg.size();
            // Records of device drivers, from dev_info() and similar, end with a dictionary.
            String dictionary = number % 4 == 0 ? "\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:1f.2" : "";
            kmsg.add("6," + (12_345 + number) + ',' + (98_765_432_100L + 4321 * number) + ",-;" + message + dictionary);
        }
        return kmsg;
    }

    private List<String> recorded() throws IOException {
        List<String> kmsg = new ArrayList<>();
        try (Stream<Path> files = Files.list(Path.of(fixtures))) {
            for (Path file : files.sorted().toList()) {
                kmsg.addAll(Files.readAllLines(file));
            }
        }
        return kmsg;
    }

    /** Returns a sum, so that the compiler cannot remove a read. */
    @Benchmark
    @OperationsPerInvocation(RECORDS)
    public long parse() {
        long sum = 0;
        for (byte[] buffer : buffers) {
            parser.parse(kmsgRecord.wrap(buffer, 0, buffer.length), line);
            sum += line.pid() + kmsgRecord.sequence();
        }
        return sum;
    }
}
