package dev.exit137.oomreport.explain;

import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.MemoryBreakdown;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.Task;
import dev.exit137.proto.v1.Zone;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;

/** Events with what a report may say, to be explained. */
final class Reports {
    static final long KIB = 1L << 10;
    static final long MIB = 1L << 20;
    static final long GIB = 1L << 30;
    static final String CONTAINER = "024952d653ef1cd852f875a61bd27cf45cb1fd6cab3659ca7e5f12f037d99aa9";
    static final String POD = "/kubepods/burstable/pod84c5437e-9503-4b52-8470-984c54f7e9f3";

    private Reports() {}

    /** mysqld, killed at the limit of its own cgroup, 512 MiB; it held 480 MiB. */
    static OomKillEvent.Builder memcg() {
        OomKillEvent.Builder event = OomKillEvent.newBuilder()
                .setScope(Scope.MEMCG)
                .setConstraint("CONSTRAINT_MEMCG")
                .setOutcome(Outcome.KILLED);
        event.getVictimBuilder()
                .setPid(4711)
                .setComm("mysqld")
                .setAnonRssBytes(480 * MIB)
                .setOomScoreAdj(0);
        event.getIncidentBuilder().setOomMemcg("/db").setTaskMemcg("/db").setKillsSoFar(1);
        event.getIncidentBuilder()
                .getLimitBuilder()
                .setCgroup("/db")
                .setLimitBytes(512 * MIB)
                .setUsageBytes(512 * MIB);
        trigger(event, "mysqld", 4711, "0xcc0(GFP_KERNEL)", 0);
        return event;
    }

    /** java, killed when a node of 16 GiB had no memory; it held 6 GiB. */
    static OomKillEvent.Builder global() {
        OomKillEvent.Builder event = OomKillEvent.newBuilder()
                .setScope(Scope.GLOBAL)
                .setConstraint("CONSTRAINT_NONE")
                .setOutcome(Outcome.KILLED);
        event.getVictimBuilder()
                .setPid(815)
                .setComm("java")
                .setAnonRssBytes(6 * GIB)
                .setOomScoreAdj(0);
        Incident.Builder incident = event.getIncidentBuilder().setKillsSoFar(1).setPageSizeBytes(4 * KIB);
        incident.getNodeMemoryBuilder().setRamBytes(16 * GIB).setReservedBytes(0);
        trigger(event, "java", 815, "0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO)", 0);
        return event;
    }

    /** No report: the memory of /db was read before the kill. */
    static MemoryBreakdown.Builder sampled(OomKillEvent.Builder event, long usageBytes, long ageNanos) {
        Incident.Builder incident = event.getIncidentBuilder();
        incident.clearTrigger().getLimitBuilder().clearUsageBytes();
        incident.getMemorySampleBuilder()
                .setCgroup("/db")
                .setAgeNanos(ageNanos)
                .setUsageBytes(usageBytes)
                .setLimitBytes(512 * MIB);
        return incident.getMemoryBuilder();
    }

    static void trigger(OomKillEvent.Builder event, String comm, int pid, String gfpMask, int order) {
        event.getIncidentBuilder()
                .getTriggerBuilder()
                .setComm(comm)
                .setPid(pid)
                .setGfpMask(gfpMask)
                .setOrder(order);
    }

    static Task task(int pid, String comm, long rssBytes, int oomScoreAdj) {
        return Task.newBuilder()
                .setPid(pid)
                .setComm(comm)
                .setRssBytes(rssBytes)
                .setOomScoreAdj(oomScoreAdj)
                .build();
    }

    /** A zone as the report shows it; high is a half more than min. */
    static Zone zone(
            int node, String name, long freeBytes, long minBytes, List<Long> reservePages, long... freeBlocks) {
        return Zone.newBuilder()
                .setNumaNode(node)
                .setName(name)
                .setFreeBytes(freeBytes)
                .setMinBytes(minBytes)
                .setHighBytes(minBytes + minBytes / 2)
                .addAllLowmemReservePages(reservePages)
                .addAllFreeBlocks(LongStream.of(freeBlocks).boxed().toList())
                .build();
    }

    /** The zones of an x86 of 16 GiB without memory: DMA has some, which is kept for those that need it. */
    static List<Zone> fullZones() {
        return List.of(
                zone(0, "DMA", 15 * MIB, 64 * KIB, List.of(0L, 2800L, 15800L, 15800L), 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 3),
                zone(0, "DMA32", 59 * MIB, 11 * MIB, List.of(0L, 0L, 13000L, 13000L), 90, 70, 80, 20, 10, 5),
                zone(0, "Normal", 36 * MIB, 37 * MIB, List.of(0L, 0L, 0L, 0L), 9000));
    }

    static String explanation(OomKillEvent.Builder event) {
        Explainer.explain(event);
        return event.getExplanation();
    }

    static List<String> recommendations(OomKillEvent.Builder event) {
        Explainer.explain(event);
        return event.getRecommendationsList();
    }

    static List<String> list(String... lines) {
        return Arrays.asList(lines);
    }
}
