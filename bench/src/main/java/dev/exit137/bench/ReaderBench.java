package dev.exit137.bench;

import dev.exit137.agent.kmsg.KmsgSource;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.oomreport.parse.KmsgRecordFlyweight;
import dev.exit137.oomreport.parse.OomLine;
import dev.exit137.oomreport.parse.OomLineParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * Compares the agent's reader with a loop of {@code read()} and {@code memmem()} in C, on the same ring, in turns: both
 * read it from its first record to EAGAIN. The agent's side includes all steps until the kind of the line is known:
 * system call, copy, record's prefix, facility, parser.
 *
 * <p>A separate program, to run under the launcher's flags: {@code ReaderBench KMSGBENCH}. Prints one line: records per
 * pass, records of the kernel among them, median nanoseconds per record of this reader and of C, and the median of the
 * rounds' ratios.
 */
final class ReaderBench {
    private static final Path KMSG = Path.of("/dev/kmsg");
    private static final int WARM_UP_PASSES = 300;
    private static final int ROUNDS = 41;
    private static final int PASSES = 15;

    private final OomLineParser parser = new OomLineParser();
    private final OomLine line = new OomLine();
    private final Guard guard = new Guard();
    private long kernelRecords;
    private long kills;

    private final KmsgSource.Sink sink = new KmsgSource.Sink() {
        @Override
        public boolean hasRoom() {
            return true;
        }

        @Override
        public void onRecord(KmsgRecordFlyweight kernelRecord) {
            kernelRecords++;
            parser.parse(kernelRecord, line);
            if (line.kind() == OomLine.Kind.KILLED) {
                kills++;
            }
        }

        @Override
        public void onGap() {}

        @Override
        public void onPaused() {}

        @Override
        public void onFailed(String reason) {
            throw new IllegalStateException(reason);
        }
    };

    public static void main(String[] args) throws IOException {
        Process c = new ProcessBuilder(args[0], "read")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        new ReaderBench().run(c);
        c.getOutputStream().close();
    }

    private void run(Process c) throws IOException {
        BufferedReader answers = c.inputReader(StandardCharsets.US_ASCII);
        for (int i = 0; i < WARM_UP_PASSES; i++) {
            pass();
        }
        double[] ours = new double[ROUNDS];
        double[] theirs = new double[ROUNDS];
        double[] ratios = new double[ROUNDS];
        long records = 0;
        for (int round = 0; round < ROUNDS; round++) {
            long nanos = 0;
            long cNanos = 0;
            records = 0;
            for (int pass = 0; pass < PASSES; pass++) {
                c.getOutputStream().write('\n');
                c.getOutputStream().flush();
                String[] answer = answers.readLine().split(" ");
                records += Long.parseLong(answer[0]);
                cNanos += Long.parseLong(answer[2]);
                nanos += pass();
            }
            ours[round] = (double) nanos / records;
            theirs[round] = (double) cNanos / records;
            ratios[round] = theirs[round] / ours[round];
        }
        long passes = WARM_UP_PASSES + (long) ROUNDS * PASSES;
        System.out.printf(
                "%d %d %d %.0f %.0f %.3f%n",
                records / PASSES, kernelRecords / passes, kills / passes, median(ours), median(theirs), median(ratios));
    }

    private long pass() throws IOException {
        KmsgSource source = new KmsgSource(KMSG, 0, sink, guard);
        source.open();
        long start = System.nanoTime();
        source.drain();
        long nanos = System.nanoTime() - start;
        source.close();
        return nanos;
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
