package dev.exit137.cli.render.report;

import dev.exit137.cli.analyze.AnalyzedIncident;
import dev.exit137.oomreport.explain.Explainer;
import dev.exit137.proto.v1.HugepagePool;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.SlabCache;
import dev.exit137.proto.v1.Task;
import dev.exit137.proto.v1.TasksOmitted;
import dev.exit137.proto.v1.Zone;
import java.util.ArrayList;
import java.util.List;

/** OOMs as a log may tell them. */
final class Reports {
    static final long KIB = 1L << 10;
    static final long MIB = 1L << 20;
    static final long GIB = 1L << 30;
    static final String POD =
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod233b806c_04ce_433c_9e64_cf4c323e6c16.slice";
    static final String CONTAINER =
            POD + "/cri-containerd-a874b4a74b84b99c912402cdb454b1462528b272d2c0a874b4a74b84b99c9124.scope";

    private Reports() {}

    static AnalyzedIncident analyzed(String printedTime, long line, OomKillEvent.Builder... events) {
        List<OomKillEvent> explained = new ArrayList<>();
        for (OomKillEvent.Builder event : events) {
            Explainer.explain(event);
            explained.add(event.build());
        }
        return new AnalyzedIncident(explained, printedTime, line, line + 40, 0);
    }

    /** The pod's limit is hit, and its largest process killed: a whole report. */
    static OomKillEvent.Builder pod() {
        OomKillEvent.Builder event = OomKillEvent.newBuilder()
                .setScope(Scope.MEMCG)
                .setConstraint("CONSTRAINT_MEMCG")
                .setOutcome(Outcome.KILLED)
                .setCgroupPath(CONTAINER);
        event.getNodeBuilder().setKernelRelease("5.15.0-1087-azure");
        event.getVictimBuilder()
                .setPid(22268)
                .setComm("java")
                .setAnonRssBytes(3900 * MIB)
                .setFileRssBytes(12 * MIB)
                .setOomScoreAdj(985);
        Incident.Builder incident = event.getIncidentBuilder()
                .setOomMemcg(POD)
                .setTaskMemcg(CONTAINER)
                .setKillsSoFar(1)
                .setPageSizeBytes(4 * KIB)
                .setLimit(Limit.newBuilder()
                        .setOwner(Limit.Owner.POD)
                        .setCgroup(POD)
                        .setLimitBytes(4 * GIB)
                        .setUsageBytes(4 * GIB)
                        .setFailcnt(1201)
                        .setSwapLimitBytes(0)
                        .setSwapUsageBytes(0))
                .addTasks(task(22268, "java", 3912 * MIB, 985))
                .addTasks(task(22301, "CPU 0/KVM", 40 * MIB, 985))
                .addTasks(task(22100, "pause", 4 * KIB, -998));
        incident.getTriggerBuilder()
                .setComm("java")
                .setPid(22268)
                .setGfpMask("0xcc0(GFP_KERNEL)")
                .setOrder(0)
                .setOomScoreAdj(985);
        incident.getMemoryBuilder()
                .setAnonBytes(3950 * MIB)
                .setFileBytes(60 * MIB)
                .setShmemBytes(20 * MIB)
                .setKernelBytes(80 * MIB)
                .setSlabBytes(50 * MIB)
                .setSlabUnreclaimableBytes(10 * MIB)
                .setPagetablesBytes(9 * MIB)
                .setKernelStackBytes(MIB)
                .setSockBytes(0);
        return event;
    }

    /** A node of 16 GiB without memory: a whole report. */
    static OomKillEvent.Builder node() {
        OomKillEvent.Builder event = OomKillEvent.newBuilder()
                .setScope(Scope.GLOBAL)
                .setConstraint("CONSTRAINT_NONE")
                .setOutcome(Outcome.KILLED)
                .setCgroupPath("/user.slice/user-1000.slice/session-2.scope");
        event.getNodeBuilder().setKernelRelease("3.10.0-514.6.1.el7.x86_64");
        event.getVictimBuilder()
                .setPid(815)
                .setComm("chrome")
                .setAnonRssBytes(6 * GIB)
                .setOomScoreAdj(300);
        Incident.Builder incident = event.getIncidentBuilder()
                .setKillsSoFar(1)
                .setPageSizeBytes(4 * KIB)
                .setCpuset("/")
                .setMemsAllowed("0")
                .addTasks(task(815, "chrome", 6 * GIB, 300));
        for (int pid = 1; pid <= 12; pid++) {
            incident.addTasks(task(pid, "worker-" + pid, (600 - pid) * MIB, 0).toBuilder()
                    .setSwapBytes(MIB)
                    .build());
        }
        incident.setTasksOmitted(TasksOmitted.newBuilder().setCount(88).setRssBytes(100 * MIB));
        incident.getTriggerBuilder()
                .setComm("sed")
                .setPid(29481)
                .setGfpMask("0x201da")
                .setOrder(0)
                .setOomScoreAdj(0);
        incident.getLimitBuilder().setOwner(Limit.Owner.NODE);
        incident.getMemoryBuilder()
                .setAnonBytes(13 * GIB)
                .setFileBytes(100 * MIB)
                .setShmemBytes(60 * MIB)
                .setSlabBytes(700 * MIB)
                .setSlabUnreclaimableBytes(600 * MIB)
                .setPagetablesBytes(80 * MIB)
                .setKernelStackBytes(20 * MIB)
                .setHugepagesBytes(GIB)
                .setSwapBytes(2 * GIB)
                .setFreeBytes(110 * MIB);
        incident.addSlabCaches(SlabCache.newBuilder().setName("kmalloc-64").setTotalBytes(300 * MIB));
        incident.getNodeMemoryBuilder()
                .setRamBytes(16 * GIB)
                .setReservedBytes(512 * MIB)
                .setSwapTotalBytes(2 * GIB)
                .setSwapFreeBytes(0)
                .addHugepages(
                        HugepagePool.newBuilder().setTotal(512).setFree(512).setSizeBytes(2 * MIB))
                .addZones(zone("DMA", 15 * MIB, 64 * KIB, List.of(0L, 2800L, 15800L), 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3))
                .addZones(zone("DMA32", 58 * MIB, 11 * MIB, List.of(0L, 0L, 13000L), 90, 70, 80, 20, 10, 5))
                .addZones(zone("Normal", 36 * MIB, 37 * MIB, List.of(0L, 0L, 0L), 9000));
        return event;
    }

    /** A kill line, and nothing else. */
    static OomKillEvent.Builder tail(int pid, String comm) {
        OomKillEvent.Builder event =
                OomKillEvent.newBuilder().setScope(Scope.MEMCG).setOutcome(Outcome.KILLED);
        event.getVictimBuilder().setPid(pid).setComm(comm).setAnonRssBytes(20 * MIB);
        event.getIncidentBuilder().setKillsSoFar(1);
        return event;
    }

    static Task task(int pid, String comm, long rssBytes, int oomScoreAdj) {
        return Task.newBuilder()
                .setPid(pid)
                .setComm(comm)
                .setRssBytes(rssBytes)
                .setSwapBytes(0)
                .setOomScoreAdj(oomScoreAdj)
                .build();
    }

    private static Zone zone(String name, long freeBytes, long minBytes, List<Long> reservePages, long... freeBlocks) {
        Zone.Builder zone = Zone.newBuilder()
                .setName(name)
                .setFreeBytes(freeBytes)
                .setMinBytes(minBytes)
                .setHighBytes(2 * minBytes)
                .addAllLowmemReservePages(reservePages);
        for (long blocks : freeBlocks) {
            zone.addFreeBlocks(blocks);
        }
        return zone.build();
    }
}
