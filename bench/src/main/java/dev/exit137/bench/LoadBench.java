package dev.exit137.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.protobuf.util.JsonFormat;
import dev.exit137.proto.v1.OomKillEvent;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;

/**
 * Measures the aggregator under load. It is a separate process with a store on this disk; agents and consumers are real
 * gRPC connections of this process, which shares the processors with it. Every event is complete, with its report.
 */
final class LoadBench {
    private static final int EVENTS = 20_000;
    private static final int CONSUMERS = 200;
    private static final int BATCH = 500;

    private final Path root;
    private final Path work;
    private final OomKillEvent template;

    /** @param fixtures the directory of the reports; the event is made from one of them */
    LoadBench(Path root, Path work, Path fixtures) throws IOException, InterruptedException {
        this.root = root;
        this.work = work;
        template = event(fixtures.resolve("uml-6.1-memcg.kmsg"));
    }

    /** Returns the event that {@code analyze} prints for the first kill in a log. */
    private OomKillEvent event(Path log) throws IOException, InterruptedException {
        Process analyze = new ProcessBuilder(
                        root.resolve("bin/exit137").toString(), "analyze", "-o", "json", log.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String line = new String(analyze.getInputStream().readAllBytes(), UTF_8)
                .lines()
                .findFirst()
                .orElseThrow();
        analyze.waitFor();
        OomKillEvent.Builder event = OomKillEvent.newBuilder();
        JsonFormat.parser().merge(line, event);
        return event.setRevision(1).build();
    }

    /** @param figures gets each figure as soon as it is measured */
    void run(java.util.function.Consumer<Figure> figures) throws Exception {
        figures.accept(Figure.plain("aggregator: an event", template.getSerializedSize() + " bytes"));
        for (int streams : new int[] {1, 20, 200}) {
            System.err.println("bench: ingest from " + streams + " streams");
            double rate;
            try (AggregatorProcess aggregator = AggregatorProcess.start(root, work)) {
                rate = ingest(aggregator, streams);
                figures.accept(Figure.plain("aggregator: durable events from " + streams + " agents", perSecond(rate)));
                figures.accept(Figure.plain("  its anonymous memory at most", aggregator.memory.maxAnonMib() + " MiB"));
            }
            double bare =
                    2 * EVENTS / BareInsert.seconds(AggregatorProcess.store(work), work.resolve("bare.db"), BATCH);
            figures.accept(
                    Figure.plain("  the same rows into bare SQLite, " + BATCH + " a transaction", perSecond(bare)));
            figures.accept(Figure.atLeast("  of that", rate / bare, 0.5, ""));
        }
        try (AggregatorProcess aggregator = AggregatorProcess.start(root, work)) {
            for (int rate : new int[] {10, 1000, 0}) {
                System.err.println(
                        "bench: from agent to consumer, " + (rate == 0 ? "as fast as it goes" : rate + " a second"));
                double[] millis = latency(aggregator, rate, rate == 10 ? 200 : 5 * 1000);
                figures.accept(Figure.plain(
                        "agent to consumer, " + (rate == 0 ? "as fast as it goes" : rate + " events/s") + ": p50, p99",
                        String.format("%.1f, %.1f ms", quantile(millis, 0.5), quantile(millis, 0.99))));
            }
        }
        System.err.println("bench: " + CONSUMERS + " consumers, half of them slow");
        try (AggregatorProcess aggregator = AggregatorProcess.start(root, work)) {
            manyConsumers(aggregator).forEach(figures);
        }
    }

    /**
     * Runs once to warm up both JVMs and once to measure. The comparison with bare SQLite needs little warm-up.
     *
     * @return events per second, from the first one sent to the last one durable
     */
    private double ingest(AggregatorProcess aggregator, int streams) throws Exception {
        List<Publisher> publishers = publishers(aggregator, streams);
        publish(publishers, "warm-up");
        long start = System.nanoTime();
        publish(publishers, "bench");
        return EVENTS * 1e9 / (System.nanoTime() - start);
    }

    private List<Publisher> publishers(AggregatorProcess aggregator, int streams) {
        return IntStream.range(0, streams)
                .mapToObj(i -> new Publisher(aggregator.connect(), "node-" + i, template))
                .toList();
    }

    private static void publish(List<Publisher> publishers, String bootId) throws Exception {
        int each = EVENTS / publishers.size();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<Void>> all = new ArrayList<>();
            for (Publisher publisher : publishers) {
                all.add(() -> {
                    for (int i = 0; i < each; i++) {
                        publisher.publish(bootId + "/kmsg/" + i);
                    }
                    publisher.awaitAcks();
                    return null;
                });
            }
            for (Future<Void> done : threads.invokeAll(all)) {
                done.get();
            }
        } catch (ExecutionException e) {
            throw new IOException("an agent's stream failed: " + e.getCause().getMessage(), e);
        }
    }

    /**
     * @param rate events per second; 0 for the maximum
     * @return milliseconds, sorted
     */
    private double[] latency(AggregatorProcess aggregator, int rate, int events) throws InterruptedException {
        ManagedChannel agent = aggregator.connect();
        Publisher publisher = new Publisher(agent, "latency-" + rate, template);
        ConcurrentHashMap<String, Long> sent = new ConcurrentHashMap<>();
        double[] millis = new double[events];
        Consumer consumer = new Consumer(aggregator.connect(), false, (id, at) -> {
            Long since = sent.remove(id);
            if (since != null) {
                millis[Integer.parseInt(id.substring(id.lastIndexOf('/') + 1))] = (at - since) / 1e6;
            }
        });
        consumer.awaitConnected();
        long start = System.nanoTime();
        for (int i = 0; i < events; i++) {
            if (rate > 0) {
                long due = start + i * TimeUnit.SECONDS.toNanos(1) / rate;
                for (long left = due - System.nanoTime(); left > 0; left = due - System.nanoTime()) {
                    LockSupport.parkNanos(left);
                }
            }
            String id = "latency-" + rate + "/" + i;
            sent.put(id, System.nanoTime());
            publisher.publish(id);
        }
        publisher.awaitAcks();
        while (!sent.isEmpty()) {
            Thread.sleep(10);
        }
        Arrays.sort(millis);
        return millis;
    }

    private List<Figure> manyConsumers(AggregatorProcess aggregator) throws Exception {
        List<Consumer> fast = new ArrayList<>();
        List<Consumer> all = new ArrayList<>();
        for (int i = 0; i < CONSUMERS; i++) {
            boolean slow = i % 2 == 1;
            Consumer consumer = new Consumer(aggregator.connect(), slow, (id, at) -> {});
            all.add(consumer);
            if (!slow) {
                fast.add(consumer);
            }
        }
        for (Consumer consumer : all) {
            consumer.awaitConnected();
        }
        List<Publisher> publishers = publishers(aggregator, 20);
        long start = System.nanoTime();
        publish(publishers, "bench");
        double rate = EVENTS * 1e9 / (System.nanoTime() - start);
        while (fast.stream().anyMatch(consumer -> consumer.events() < EVENTS)) {
            Thread.sleep(10);
        }
        double delivered = (double) EVENTS * fast.size() * 1e9 / (System.nanoTime() - start);
        return List.of(
                Figure.plain(
                        "aggregator: durable events, " + CONSUMERS + " consumers, half of them slow", perSecond(rate)),
                Figure.plain("  delivered to the " + fast.size() + " others", perSecond(delivered)),
                Figure.plain("  its anonymous memory at most", aggregator.memory.maxAnonMib() + " MiB"));
    }

    private static double quantile(double[] sorted, double q) {
        return sorted[(int) Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
    }

    private static String perSecond(double rate) {
        return Math.round(rate) + " /s";
    }
}
