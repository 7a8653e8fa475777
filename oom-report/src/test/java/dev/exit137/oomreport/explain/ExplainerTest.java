package dev.exit137.oomreport.explain;

import static dev.exit137.oomreport.explain.Reports.GIB;
import static dev.exit137.oomreport.explain.Reports.KIB;
import static dev.exit137.oomreport.explain.Reports.MIB;
import static dev.exit137.oomreport.explain.Reports.fullZones;
import static dev.exit137.oomreport.explain.Reports.global;
import static dev.exit137.oomreport.explain.Reports.list;
import static dev.exit137.oomreport.explain.Reports.memcg;
import static dev.exit137.oomreport.explain.Reports.sampled;
import static dev.exit137.oomreport.explain.Reports.task;
import static dev.exit137.oomreport.explain.Reports.trigger;
import static dev.exit137.oomreport.explain.Reports.zone;
import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.exit137.proto.v1.HugepagePool;
import dev.exit137.proto.v1.MemcgStat;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.SlabCache;
import dev.exit137.proto.v1.TasksOmitted;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** What a report says, and the words that it must come to. */
class ExplainerTest {
    private static final String CONTAINER = Reports.POD + "/" + Reports.CONTAINER;
    private static final String MYSQLD = "The kernel killed mysqld (pid 4711), which held 480.0 MiB, because ";
    private static final String JAVA = "The kernel killed java (pid 815), which held 6.0 GiB, because ";

    private record Case(String story, OomKillEvent.Builder event, String explanation, List<String> recommendations) {}

    private static Case of(
            String story,
            OomKillEvent.Builder event,
            Consumer<OomKillEvent.Builder> report,
            String explanation,
            String... recommendations) {
        report.accept(event);
        return new Case(story, event, explanation, list(recommendations));
    }

    @TestFactory
    Stream<DynamicTest> theLimitOfACgroup() {
        return tests(
                of(
                        "no block of memory: the victim's size is all there is",
                        memcg(),
                        e -> {},
                        MYSQLD + "cgroup /db reached its memory limit of 512.0 MiB. It held 94 % of what was in use.",
                        "Raise the limit, or make its largest process smaller: mysqld (pid 4711) held 480.0 MiB, 94 % of "
                                + "512.0 MiB"),
                of(
                        "sizes are absent",
                        memcg(),
                        e -> {
                            e.getVictimBuilder().clearAnonRssBytes();
                            e.getIncidentBuilder()
                                    .getLimitBuilder()
                                    .clearLimitBytes()
                                    .clearUsageBytes();
                        },
                        "The kernel killed mysqld (pid 4711) because cgroup /db reached its memory limit."),
                of(
                        "whose limit is not known",
                        memcg(),
                        e -> {
                            e.getVictimBuilder().clearAnonRssBytes();
                            e.getIncidentBuilder().clearLimit().clearOomMemcg().clearTrigger();
                        },
                        "The kernel killed mysqld (pid 4711) because a memory cgroup reached its memory limit."),
                of(
                        "anonymous memory of one",
                        memcg(),
                        e -> e.getIncidentBuilder()
                                .getMemoryBuilder()
                                .setAnonBytes(490 * MIB)
                                .setFileBytes(2 * MIB)
                                .setShmemBytes(0)
                                .setKernelBytes(10 * MIB),
                        MYSQLD + "cgroup /db reached its memory limit of 512.0 MiB. "
                                + "Anonymous memory filled it, 490.0 MiB (96 %), most of it the victim's.",
                        "Raise the limit, or make its largest process smaller: mysqld (pid 4711) held 480.0 MiB, 94 % of "
                                + "512.0 MiB"),
                of(
                        "anonymous memory, read before the kill",
                        memcg(),
                        e -> {
                            sampled(e, 500 * MIB, 3_000_000_000L)
                                    .setAnonBytes(490 * MIB)
                                    .setFileBytes(MIB)
                                    .setKernelBytes(9 * MIB);
                        },
                        MYSQLD + "cgroup /db reached its memory limit of 512.0 MiB. "
                                + "Anonymous memory filled it, 490.0 MiB (96 %, 3.0 s before the kill), most of it the victim's.",
                        "Raise the limit, or make its largest process smaller: mysqld (pid 4711) held 480.0 MiB, 94 % of "
                                + "512.0 MiB"),
                of(
                        "tmpfs, read before the kill",
                        memcg(),
                        e -> {
                            e.getVictimBuilder().setAnonRssBytes(20 * MIB);
                            sampled(e, 500 * MIB, 400_000_000L)
                                    .setAnonBytes(10 * MIB)
                                    .setFileBytes(490 * MIB)
                                    .setShmemBytes(480 * MIB);
                        },
                        "The kernel killed mysqld (pid 4711), which held 20.0 MiB, because cgroup /db reached its memory limit of "
                                + "512.0 MiB. tmpfs and shared memory filled it, 480.0 MiB (94 %, 0.4 s before the kill); files there "
                                + "stay when a process is killed.",
                        "Bound what is kept in tmpfs and shared memory (/dev/shm, volumes in memory), which counts against the "
                                + "limit: 480.0 MiB (94 %, 0.4 s before the kill) of it"),
                of(
                        "page cache before the kill is no cause: it gives way",
                        memcg(),
                        e -> {
                            e.getVictimBuilder().setAnonRssBytes(100 * MIB);
                            sampled(e, 510 * MIB, 12_000_000_000L)
                                    .setAnonBytes(80 * MIB)
                                    .setFileBytes(420 * MIB);
                        },
                        "The kernel killed mysqld (pid 4711), which held 100.0 MiB, because cgroup /db reached its memory limit of "
                                + "512.0 MiB. It used 510.0 MiB of 512.0 MiB, 12 s before the kill, 420.0 MiB of it page cache."),
                of(
                        "half full before the kill: what filled it came later",
                        memcg(),
                        e -> {
                            e.getVictimBuilder().setAnonRssBytes(100 * MIB);
                            sampled(e, 300 * MIB, 9_960_000_000L).setAnonBytes(290 * MIB);
                        },
                        "The kernel killed mysqld (pid 4711), which held 100.0 MiB, because cgroup /db reached its memory limit of "
                                + "512.0 MiB. It used 300.0 MiB of 512.0 MiB, 10 s before the kill, 290.0 MiB of it anonymous memory."),
                of(
                        "read of the victim's cgroup, which need not be the one at its limit",
                        memcg(),
                        e -> {
                            sampled(e, 500 * MIB, 3_000_000_000L).setAnonBytes(490 * MIB);
                            e.getIncidentBuilder().clearLimit().clearOomMemcg();
                        },
                        MYSQLD
                                + "a memory cgroup reached its memory limit. Its own cgroup used 500.0 MiB of 512.0 MiB, 3.0 s before "
                                + "the kill, 490.0 MiB of it anonymous memory."),
                of(
                        "anonymous memory of many",
                        memcg(),
                        e -> {
                            e.getVictimBuilder().setComm("php").setAnonRssBytes(20 * MIB);
                            e.getIncidentBuilder()
                                    .clearTrigger()
                                    .getMemoryBuilder()
                                    .setAnonBytes(490 * MIB);
                            e.getIncidentBuilder()
                                    .addTasks(task(4711, "php", 20 * MIB, 0))
                                    .addTasks(task(4712, "php", 19 * MIB, 0))
                                    .setTasksOmitted(TasksOmitted.newBuilder().setCount(23));
                        },
                        "The kernel killed php (pid 4711), which held 20.0 MiB, because cgroup /db reached its memory limit of "
                                + "512.0 MiB. Anonymous memory filled it, 490.0 MiB (96 %) in 25 processes, the largest of which, "
                                + "php (pid 4711), held 20.0 MiB.",
                        "Raise the limit, or run fewer processes under it: 25 processes shared it, the largest "
                                + "php (pid 4711) 20.0 MiB, php (pid 4712) 19.0 MiB"),
                of(
                        "tmpfs",
                        memcg(),
                        e -> {
                            e.getVictimBuilder().setAnonRssBytes(10 * MIB);
                            e.getIncidentBuilder()
                                    .getMemoryBuilder()
                                    .setAnonBytes(12 * MIB)
                                    .setFileBytes(495 * MIB)
                                    .setShmemBytes(490 * MIB);
                        },
                        "The kernel killed mysqld (pid 4711), which held 10.0 MiB, because cgroup /db reached its memory limit of "
                                + "512.0 MiB. tmpfs and shared memory filled it, 490.0 MiB (96 %); files there stay when a process is "
                                + "killed.",
                        "Bound what is kept in tmpfs and shared memory (/dev/shm, volumes in memory), which counts against the "
                                + "limit: 490.0 MiB (96 %) of it"),
                of(
                        "page cache under writeback",
                        memcg(),
                        e -> {
                            e.getVictimBuilder().setAnonRssBytes(10 * MIB);
                            e.getIncidentBuilder()
                                    .addMemcgStats(MemcgStat.newBuilder()
                                            .putStat("file_dirty", 40 * MIB)
                                            .putStat("file_writeback", 300 * MIB)
                                            .putStat("file_mapped", 0))
                                    .getMemoryBuilder()
                                    .setAnonBytes(12 * MIB)
                                    .setFileBytes(495 * MIB)
                                    .setShmemBytes(0);
                        },
                        "The kernel killed mysqld (pid 4711), which held 10.0 MiB, because cgroup /db reached its memory limit of "
                                + "512.0 MiB. Page cache filled it, 495.0 MiB (97 %), which the kernel could not take back.",
                        "Find what keeps files in memory (much written at once, mapped, locked): 495.0 MiB (97 %) of page "
                                + "cache, of "
                                + "it 40.0 MiB dirty, 300.0 MiB under writeback"),
                of(
                        "kernel memory, seen in slab",
                        memcg(),
                        e -> {
                            e.getVictimBuilder().setAnonRssBytes(10 * MIB);
                            e.getIncidentBuilder()
                                    .getMemoryBuilder()
                                    .setAnonBytes(12 * MIB)
                                    .setFileBytes(0)
                                    .setKernelBytes(450 * MIB)
                                    .setSlabBytes(400 * MIB)
                                    .setKernelStackBytes(30 * MIB);
                        },
                        "The kernel killed mysqld (pid 4711), which held 10.0 MiB, because cgroup /db reached its memory limit of "
                                + "512.0 MiB. Kernel memory filled it, 450.0 MiB (88 %).",
                        "Find what makes the kernel hold memory for the cgroup (open files, dentries, threads, mappings): "
                                + "450.0 MiB "
                                + "(88 %) of kernel memory, of it 400.0 MiB slab, 30.0 MiB kernel stacks"),
                of(
                        "socket buffers",
                        memcg(),
                        e -> e.getIncidentBuilder()
                                .getMemoryBuilder()
                                .setAnonBytes(12 * MIB)
                                .setSockBytes(300 * MIB),
                        MYSQLD
                                + "cgroup /db reached its memory limit of 512.0 MiB. Socket buffers filled it, 300.0 MiB (59 %).",
                        "Find the connections whose data nobody reads, or bound their buffers (net.ipv4.tcp_rmem, tcp_wmem): "
                                + "300.0 MiB (59 %) in socket buffers"),
                of(
                        "the pod's limit, and its smallest process the victim",
                        memcg(),
                        e -> {
                            e.getVictimBuilder()
                                    .setPid(9)
                                    .setComm("pause")
                                    .setAnonRssBytes(4 * KIB)
                                    .setOomScoreAdj(-998);
                            e.getIncidentBuilder()
                                    .setOomMemcg(Reports.POD)
                                    .setTaskMemcg(CONTAINER)
                                    .addTasks(task(77, "java", 500 * MIB, -998))
                                    .addTasks(task(9, "pause", 4 * KIB, -998))
                                    .getLimitBuilder()
                                    .setCgroup(Reports.POD);
                            trigger(e, "java", 77, "0xd0", 0);
                        },
                        "The kernel killed pause (pid 9) in container 024952d653ef, which held 4.0 KiB, because "
                                + "pod 84c5437e-9503-4b52-8470-984c54f7e9f3, above it, reached its memory limit of 512.0 MiB when "
                                + "java (pid 77) asked for memory. It held < 1 % of what was in use; java (pid 77) held 500.0 MiB "
                                + "(98 %).",
                        "Look at everything that shares the limit, not only at the victim: the limit is that of "
                                + "pod 84c5437e-9503-4b52-8470-984c54f7e9f3, pause (pid 9) is in container 024952d653ef and "
                                + "held 4.0 KiB "
                                + "(< 1 %)"),
                of(
                        "v1: the limit of memory and swap",
                        memcg(),
                        e -> e.getIncidentBuilder()
                                .getLimitBuilder()
                                .setUsageBytes(500 * MIB)
                                .setSwapIncludesMemory(true)
                                .setSwapUsageBytes(GIB)
                                .setSwapLimitBytes(GIB),
                        MYSQLD
                                + "cgroup /db reached its limit of memory and swap together of 1.0 GiB. It held 96 % of what was in "
                                + "use.",
                        "Raise the limit, or make its largest process smaller: mysqld (pid 4711) held 480.0 MiB, 96 % of "
                                + "500.0 MiB"),
                of(
                        "v1: the limit of kernel memory",
                        memcg(),
                        e -> {
                            e.getVictimBuilder().clearAnonRssBytes();
                            e.getIncidentBuilder()
                                    .getLimitBuilder()
                                    .setUsageBytes(100 * MIB)
                                    .setKmemUsageBytes(50 * MIB)
                                    .setKmemLimitBytes(50 * MIB);
                        },
                        "The kernel killed mysqld (pid 4711) because cgroup /db reached its limit of kernel memory (kmem) of "
                                + "50.0 MiB. Kernel memory filled it, 50.0 MiB (50 %).",
                        "Raise or remove the limit of kernel memory (memory.kmem.limit_in_bytes): 50.0 MiB of 50.0 MiB were in use",
                        "Find what makes the kernel hold memory for the cgroup (open files, dentries, threads, mappings): 50.0 MiB "
                                + "(50 %) of kernel memory"),
                of(
                        "swap used up, often at the limit, far above it",
                        memcg(),
                        e -> {
                            e.getVictimBuilder().setAnonRssBytes(20 * MIB);
                            e.getIncidentBuilder()
                                    .getLimitBuilder()
                                    .setUsageBytes(600 * MIB)
                                    .setSwapUsageBytes(64 * MIB)
                                    .setSwapLimitBytes(64 * MIB)
                                    .setFailcnt(12345);
                        },
                        "The kernel killed mysqld (pid 4711), which held 20.0 MiB, because cgroup /db reached its memory limit of "
                                + "512.0 MiB. Its swap was full, too.",
                        "Raise its swap limit (memory.swap.max) only if it may be slow; it needs memory: 64.0 MiB of 64.0 MiB swap "
                                + "were in use",
                        "Check whether the limit was lowered while it was in use (a guess; charges that may not fail pass "
                                + "it, too): "
                                + "600.0 MiB were in use, the limit was 512.0 MiB",
                        "Watch it before it is killed (memory.pressure, failcnt), since it lives at its limit: failcnt says "
                                + "that it "
                                + "had been hit 12345 times"),
                of(
                        "a group is killed",
                        memcg(),
                        e -> {
                            e.getVictimBuilder().clearAnonRssBytes();
                            e.getIncidentBuilder().setGroupKill(true).setKillsSoFar(3);
                        },
                        "The kernel killed mysqld (pid 4711) and 2 more of its cgroup (memory.oom.group) because cgroup /db "
                                + "reached "
                                + "its memory limit of 512.0 MiB.",
                        "Unset memory.oom.group (kubelet's singleProcessOOMKill) if the others could go on without the victim: "
                                + "3 processes were killed together"),
                of(
                        "one to go first is small",
                        memcg(),
                        e -> {
                            e.getVictimBuilder()
                                    .setComm("worker")
                                    .setAnonRssBytes(20 * MIB)
                                    .setOomScoreAdj(500);
                            e.getIncidentBuilder()
                                    .addTasks(task(1, "init", 400 * MIB, -1000))
                                    .clearTrigger();
                        },
                        "The kernel killed worker (pid 4711), which held 20.0 MiB, because cgroup /db reached its memory limit of "
                                + "512.0 MiB. It was not the largest, but was to go first (oom_score_adj 500); init (pid 1), "
                                + "-1000, held "
                                + "400.0 MiB.",
                        "Check that oom_score_adj says what should go first: victim 500, held 20.0 MiB, init (pid 1) -1000, held "
                                + "400.0 MiB",
                        "Bound what the kernel may not kill (oom_score_adj -1000): init (pid 1) 400.0 MiB"));
    }

    @TestFactory
    Stream<DynamicTest> theNode() {
        return tests(
                of(
                        "no sizes",
                        global(),
                        e -> {
                            e.getIncidentBuilder().clearNodeMemory().clearTrigger();
                            e.getVictimBuilder().clearAnonRssBytes();
                        },
                        "The kernel killed java (pid 815) because the node ran out of memory."),
                of(
                        "anonymous memory, and swap is full",
                        global(),
                        e -> {
                            e.getIncidentBuilder()
                                    .addTasks(task(815, "java", 6 * GIB, 0))
                                    .addTasks(task(99, "chrome", 2 * GIB, 0))
                                    .getMemoryBuilder()
                                    .setAnonBytes(14 * GIB)
                                    .setFreeBytes(110 * MIB);
                            e.getIncidentBuilder()
                                    .getNodeMemoryBuilder()
                                    .addAllZones(fullZones())
                                    .setSwapTotalBytes(2 * GIB)
                                    .setSwapFreeBytes(0);
                        },
                        JAVA
                                + "the node ran out of memory. 14.0 GiB (88 % of RAM) was anonymous memory; swap (2.0 GiB) was full.",
                        "Run less on the node, or give it more memory: 14.0 GiB (88 % of RAM) was anonymous memory, the largest "
                                + "java (pid 815) 6.0 GiB, chrome (pid 99) 2.0 GiB"),
                of(
                        "one process has most of it, and another asked",
                        global(),
                        e -> {
                            e.getVictimBuilder().setAnonRssBytes(9 * GIB);
                            trigger(e, "sshd", 1, "0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO)", 0);
                            e.getIncidentBuilder().getMemoryBuilder().setAnonBytes(14 * GIB);
                            e.getIncidentBuilder()
                                    .getNodeMemoryBuilder()
                                    .addAllZones(fullZones())
                                    .setSwapTotalBytes(0);
                        },
                        "The kernel killed java (pid 815), which held 9.0 GiB, because the node ran out of memory when sshd "
                                + "(pid 1) "
                                + "asked for memory. 14.0 GiB (88 % of RAM) was anonymous memory; there is no swap.",
                        "Bound the largest process, or give the node more memory: 14.0 GiB (88 % of RAM) was anonymous memory"),
                of(
                        "a slab leak",
                        global(),
                        e -> {
                            e.getIncidentBuilder()
                                    .addSlabCaches(SlabCache.newBuilder()
                                            .setName("kmalloc-256")
                                            .setTotalBytes(9 * GIB))
                                    .addSlabCaches(SlabCache.newBuilder()
                                            .setName("dentry")
                                            .setTotalBytes(GIB))
                                    .getMemoryBuilder()
                                    .setAnonBytes(3 * GIB)
                                    .setSlabBytes(11 * GIB)
                                    .setSlabUnreclaimableBytes(11 * GIB);
                        },
                        JAVA
                                + "the node ran out of memory. 11.0 GiB (69 % of RAM) was unreclaimable slab. The largest caches are "
                                + "kmalloc-256 9.0 GiB, dentry 1.0 GiB.",
                        "Look for what fills the kernel's slab (slabtop; it may be a leak): 11.0 GiB (69 % of RAM) of it "
                                + "unreclaimable, the largest caches kmalloc-256 9.0 GiB, dentry 1.0 GiB"),
                of(
                        "huge pages and page tables",
                        global(),
                        e -> {
                            e.getIncidentBuilder()
                                    .getMemoryBuilder()
                                    .setHugepagesBytes(8 * GIB)
                                    .setPagetablesBytes(5 * GIB)
                                    .setAnonBytes(GIB);
                            e.getIncidentBuilder()
                                    .getNodeMemoryBuilder()
                                    .addHugepages(HugepagePool.newBuilder()
                                            .setTotal(4096)
                                            .setFree(4000)
                                            .setSizeBytes(2 * MIB));
                        },
                        JAVA + "the node ran out of memory. 8.0 GiB (50 % of RAM) was huge pages.",
                        "Keep fewer huge pages (vm.nr_hugepages), which nothing else can use: 8.0 GiB (50 % of RAM) in their "
                                + "pools, 7.8 GiB of it unused",
                        "Use huge pages, or fewer processes that map the same memory: 5.0 GiB (31 % of RAM) of page tables"),
                of(
                        "memory that no counter has",
                        global(),
                        e -> {
                            e.getIncidentBuilder()
                                    .getMemoryBuilder()
                                    .setAnonBytes(3 * GIB)
                                    .setFreeBytes(GIB)
                                    .setSlabBytes(GIB);
                            e.getIncidentBuilder()
                                    .getNodeMemoryBuilder()
                                    .putCounters("active_anon", GIB)
                                    .putCounters("inactive_anon", 2 * GIB)
                                    .putCounters("active_file", 0)
                                    .putCounters("slab_unreclaimable", GIB)
                                    .putCounters("free", GIB)
                                    .putCounters("mapped", 9 * GIB);
                        },
                        JAVA + "the node ran out of memory. 11.0 GiB (69 % of RAM) was in no counter of the report.",
                        "Look for who takes whole pages of the kernel (a guess: a driver, a GPU, a VM's balloon, ZFS): 11.0 GiB "
                                + "(69 % of RAM) belongs to no task and no counter"),
                of(
                        "fragmentation",
                        global(),
                        e -> {
                            trigger(e, "java", 815, "0x40cc0(GFP_KERNEL|__GFP_COMP)", 3);
                            e.getIncidentBuilder()
                                    .getNodeMemoryBuilder()
                                    .addZones(zone(
                                            0, "Normal", 900 * MIB, 40 * MIB, List.of(), 200_000, 30_000, 0, 0, 0));
                        },
                        JAVA + "the node had no block of 32.0 KiB (order 3) for an allocation. 900.0 MiB was free in "
                                + "Normal, but no "
                                + "block of 32.0 KiB (order 3) among it: memory was fragmented.",
                        "Ask for less in one piece, or keep more free (vm.min_free_kbytes, vm.watermark_scale_factor): no block of "
                                + "32.0 KiB (order 3) free, 900.0 MiB was free in Normal"),
                of(
                        "a 32-bit kernel has lowmem no more",
                        global(),
                        e -> {
                            trigger(e, "sshd", 1, "0x24000c0(GFP_KERNEL)", 0);
                            e.getIncidentBuilder()
                                    .getNodeMemoryBuilder()
                                    .addZones(zone(0, "Normal", 3 * MIB, 4 * MIB, List.of(0L, 20_000L)))
                                    .addZones(zone(0, "HighMem", 5 * GIB, MIB, List.of(0L, 0L)));
                        },
                        JAVA + "the memory that the allocation could use ran out (Normal) when sshd (pid 1) asked for "
                                + "memory. There "
                                + "was 5.0 GiB above the watermarks in HighMem, which this allocation could not use.",
                        "Use a 64-bit kernel, or have the kernel hold less (slab, page tables, buffers), for it fills "
                                + "lowmem: Normal "
                                + "3.0 MiB free, 4.0 MiB to be kept, 5.0 GiB above the watermarks in HighMem"),
                of(
                        "a driver wants DMA memory",
                        global(),
                        e -> {
                            trigger(e, "modprobe", 5, "0xcc1(GFP_KERNEL|GFP_DMA)", 0);
                            e.getIncidentBuilder()
                                    .getNodeMemoryBuilder()
                                    .addZones(zone(0, "DMA", 0, 64 * KIB, List.of(0L, 2800L, 15800L)))
                                    .addZones(zone(0, "Normal", 5 * GIB, MIB, List.of(0L, 0L)));
                        },
                        JAVA + "the memory that the allocation could use ran out (DMA) when modprobe (pid 5) asked for "
                                + "memory. There "
                                + "was 5.0 GiB above the watermarks in Normal, which this allocation could not use.",
                        "Find the driver that asks for memory of such a zone, since processes' memory is not what was short: DMA "
                                + "0 B free, 64.0 KiB to be kept, 5.0 GiB above the watermarks in Normal"),
                of(
                        "what is free is CMA",
                        global(),
                        e -> {
                            trigger(e, "java", 815, "0xcc0(GFP_KERNEL)", 0);
                            e.getIncidentBuilder()
                                    .getNodeMemoryBuilder()
                                    .addZones(zone(0, "Normal", 300 * MIB, 40 * MIB, List.of()).toBuilder()
                                            .putSizes("free_cma", 290 * MIB));
                        },
                        JAVA
                                + "the node ran out of memory. 290.0 MiB of the 300.0 MiB free was CMA, which this allocation may not "
                                + "use.",
                        "Make the CMA area smaller (cma= on the kernel's command line): 290.0 MiB of 300.0 MiB free memory "
                                + "was CMA"),
                of(
                        "a cpuset's node is full",
                        global(),
                        e -> {
                            e.setScope(Scope.CPUSET);
                            e.getIncidentBuilder()
                                    .setCpuset("batch")
                                    .setMemsAllowed("1")
                                    .getNodeMemoryBuilder()
                                    .clearRamBytes()
                                    .addZones(zone(0, "Normal", 5 * GIB, 40 * MIB, List.of()))
                                    .addZones(zone(1, "Normal", 30 * MIB, 40 * MIB, List.of()));
                        },
                        JAVA
                                + "NUMA node 1, to which cpuset batch confines the allocation, ran out of memory. Other nodes had "
                                + "4.9 GiB above their watermarks.",
                        "Allow the cpuset more NUMA nodes (cpuset.mems), or run less on these: the allocation was confined to NUMA "
                                + "node 1, 4.9 GiB above the watermarks on the others"),
                of(
                        "a memory policy, and nothing is said of the others",
                        global(),
                        e -> {
                            e.setScope(Scope.MEMORY_POLICY);
                            e.getIncidentBuilder().setNodemask("1").clearNodeMemory();
                        },
                        JAVA + "NUMA node 1, to which a memory policy confines the allocation, ran out of memory.",
                        "Let the program prefer NUMA nodes rather than bind to them (numactl --preferred for --membind): the "
                                + "allocation was confined to NUMA node 1"),
                of(
                        "one that was protected",
                        global(),
                        e -> {
                            e.getIncidentBuilder().clearNodeMemory();
                            e.getVictimBuilder().setOomScoreAdj(-900);
                        },
                        JAVA + "the node ran out of memory. It was killed in spite of its oom_score_adj of -900.",
                        "Do not count on oom_score_adj alone to keep a process alive: java (pid 815) was killed with -900"),
                of(
                        "a container's cpuset",
                        global(),
                        e -> {
                            e.setScope(Scope.CPUSET);
                            e.getIncidentBuilder()
                                    .setCpuset("docker-" + Reports.CONTAINER + ".scope")
                                    .setMemsAllowed("1")
                                    .clearNodeMemory();
                        },
                        JAVA
                                + "NUMA node 1, to which the cpuset of container 024952d653ef confines the allocation, ran out of "
                                + "memory.",
                        "Allow the cpuset more NUMA nodes (cpuset.mems), or run less on these: the allocation was confined to NUMA "
                                + "node 1"),
                of(
                        "memory came back while the kernel looked",
                        global(),
                        e -> e.getIncidentBuilder()
                                .getNodeMemoryBuilder()
                                .addZones(zone(0, "Normal", GIB, 40 * MIB, List.of())),
                        JAVA
                                + "the node ran out of memory. When the report was printed, Normal had memory above its watermark "
                                + "again."),
                of(
                        "much is free, and the zones are not there",
                        global(),
                        e -> e.getIncidentBuilder()
                                .getMemoryBuilder()
                                .setFreeBytes(10 * GIB)
                                .setAnonBytes(5 * GIB),
                        JAVA + "the node ran out of memory. When the report was printed, 10.0 GiB was free."),
                of(
                        "a page fault",
                        global(),
                        e -> {
                            trigger(e, "java", 815, "0x0()", 0);
                            e.getIncidentBuilder().getMemoryBuilder().setFreeBytes(4 * GIB);
                            e.getIncidentBuilder()
                                    .getNodeMemoryBuilder()
                                    .addZones(zone(0, "Normal", 4 * GIB, 40 * MIB, List.of()));
                        },
                        JAVA
                                + "a page fault got no memory. The report does not say what the fault asked for; the node need "
                                + "not have "
                                + "been short of memory.",
                        "Look for a cgroup at its limit, too (a guess; before 5.16 a fault that failed for it came to this): "
                                + "gfp_mask 0x0, and the node had 4.0 GiB free"),
                of(
                        "someone asked for it",
                        global(),
                        e -> {
                            trigger(e, "kworker/0:1", 33, "0xcc0(GFP_KERNEL)", -1);
                            e.getIncidentBuilder()
                                    .getMemoryBuilder()
                                    .setFreeBytes(10 * GIB)
                                    .setAnonBytes(6 * GIB);
                        },
                        JAVA + "someone asked for it (sysrq f). Memory need not have been short.",
                        "Find who asked for the kill (Alt-SysRq-f, or f written to /proc/sysrq-trigger): order -1, with 10.0 GiB "
                                + "free"));
    }

    @TestFactory
    Stream<DynamicTest> withoutAVictim() {
        return tests(
                of(
                        "nothing may be killed",
                        global().clearVictim(),
                        e -> {
                            e.setOutcome(Outcome.NO_KILLABLE_PROCESS)
                                    .getIncidentBuilder()
                                    .addTasks(task(1, "init", MIB, -1000));
                        },
                        "The OOM killer ran because the node ran out of memory when java (pid 815) asked for memory, and found no "
                                + "process that it may kill. Every process of its table (1) has oom_score_adj -1000.",
                        "Protect fewer processes from the OOM killer (oom_score_adj -1000): 1 of 1 in the table are protected"),
                of(
                        "the kernel panics",
                        global().clearVictim(),
                        e -> e.setOutcome(Outcome.PANIC).getIncidentBuilder().clearTrigger(),
                        "The OOM killer ran because the node ran out of memory, and the kernel panicked.",
                        "Look at vm.panic_on_oom, or for what left no process to kill (oom_score_adj -1000, an initramfs, "
                                + "a leak in the kernel): the kernel panicked"),
                of(
                        "the report ends before the kill",
                        memcg().clearVictim(),
                        e -> {
                            e.setOutcome(Outcome.KILL_NOT_SEEN)
                                    .getIncidentBuilder()
                                    .clearTrigger();
                            e.getIncidentBuilder()
                                    .getChosenBuilder()
                                    .setPid(31826)
                                    .setComm("php5-fpm");
                        },
                        "The OOM killer ran because cgroup /db reached its memory limit of 512.0 MiB; it chose php5-fpm "
                                + "(pid 31826), "
                                + "and the log does not say that it was killed."),
                of(
                        "only the head is there",
                        OomKillEvent.newBuilder(),
                        e -> {
                            e.setScope(Scope.UNKNOWN).setOutcome(Outcome.KILL_NOT_SEEN);
                            trigger(e, "systemd", 1, "0xd0", 0);
                        },
                        "The OOM killer ran when systemd (pid 1) asked for memory; the log does not say whom it killed."),
                of(
                        "a kill line alone",
                        OomKillEvent.newBuilder(),
                        e -> {
                            e.setScope(Scope.UNKNOWN)
                                    .setOutcome(Outcome.KILLED)
                                    .getVictimBuilder()
                                    .setPid(7)
                                    .setComm("a.out");
                        },
                        "The kernel killed a.out (pid 7); no record says what ran out."),
                of(
                        "only a counter saw it",
                        OomKillEvent.newBuilder(),
                        e -> e.setScope(Scope.UNKNOWN)
                                .setOutcome(Outcome.KILLED)
                                .setCgroupPath("/db")
                                .addEvidence(Evidence.MEMORY_EVENTS),
                        "The OOM killer killed a process in cgroup /db; only a counter saw it, and no record of it was "
                                + "read in the kernel's log."),
                of(
                        "only counters saw it, and one names the limit",
                        memcg().clearVictim(),
                        e -> {
                            e.setCgroupPath("/db/worker").addEvidence(Evidence.MEMORY_EVENTS);
                            e.getIncidentBuilder().clearTaskMemcg().clearTrigger();
                        },
                        "The OOM killer killed a process in cgroup /db/worker because cgroup /db reached its memory limit of "
                                + "512.0 MiB; only a counter saw it, and no record of it was read in the kernel's log."),
                of(
                        "the counters contradict the kernel's line",
                        memcg(),
                        e -> e.getIncidentBuilder()
                                .clearTrigger()
                                .getLimitBuilder()
                                .addContradictedBy("/")
                                .addContradictedBy("/x"),
                        "The kernel killed mysqld (pid 4711), which held 480.0 MiB, because cgroup /db reached its memory limit of "
                                + "512.0 MiB. It held 94 % of what was in use. The sources disagree: the kernel's line names cgroup "
                                + "/db, and the counter of OOMs that moved is that of cgroup / and of cgroup /x.",
                        "Raise the limit, or make its largest process smaller: mysqld (pid 4711) held 480.0 MiB, 94 % of "
                                + "512.0 MiB"));
    }

    @Test
    void pagesThatAnotherCgroupPaysForDoNotMakeAVictimLargerThanItsLimit() {
        OomKillEvent.Builder event = memcg();
        event.getVictimBuilder().setAnonRssBytes(510 * MIB).setFileRssBytes(MIB);
        Explainer.explain(event);
        assertTrue(event.getExplanation().contains("which held 511.0 MiB, because"), event::getExplanation);
        event.getVictimBuilder().setFileRssBytes(9 * MIB);
        Explainer.explain(event);
        assertTrue(event.getExplanation().contains("which held 510.0 MiB, because"), event::getExplanation);
        event.getVictimBuilder().setShmemRssBytes(3 * MIB);
        Explainer.explain(event);
        assertTrue(event.getExplanation().contains("which held 510.0 MiB, because"), event::getExplanation);
    }

    /** An event that is explained again, with more evidence, has the new words alone. */
    @Test
    void explainedAgainNothingIsSaidTwice() {
        OomKillEvent.Builder event = memcg();
        Explainer.explain(event);
        OomKillEvent once = event.build();
        Explainer.explain(event);
        assertEquals(once, event.build());
    }

    /** Sizes that no machine has, from a line that was not the kernel's. */
    @Test
    void absurdNumbersMakeNoRuleThrow() {
        for (long size : new long[] {0, 1, -1, Long.MAX_VALUE, Long.MIN_VALUE}) {
            for (OomKillEvent.Builder event : List.of(memcg(), global())) {
                event.getVictimBuilder().setAnonRssBytes(size).setFileRssBytes(size);
                event.getIncidentBuilder().getTriggerBuilder().setOrder((int) size);
                event.getIncidentBuilder().setPageSizeBytes(size).addTasks(task(1, "", size, (int) size));
                event.getIncidentBuilder()
                        .getLimitBuilder()
                        .setLimitBytes(size)
                        .setUsageBytes(size)
                        .setSwapLimitBytes(size)
                        .setSwapUsageBytes(size)
                        .setKmemLimitBytes(size)
                        .setKmemUsageBytes(size)
                        .setFailcnt(size);
                event.getIncidentBuilder()
                        .getMemoryBuilder()
                        .setAnonBytes(size)
                        .setFileBytes(size)
                        .setShmemBytes(size);
                event.getIncidentBuilder()
                        .getNodeMemoryBuilder()
                        .setRamBytes(size)
                        .setReservedBytes(-size)
                        .addZones(zone(0, "Normal", size, size, List.of(size, size), size));
                Explainer.explain(event);
            }
        }
    }

    private static Stream<DynamicTest> tests(Case... cases) {
        return Stream.of(cases)
                .map(one -> DynamicTest.dynamicTest(one.story, () -> {
                    Explainer.explain(one.event);
                    assertAll(
                            () -> assertEquals(one.explanation, one.event.getExplanation()),
                            () -> assertEquals(
                                    String.join("\n", one.recommendations),
                                    String.join("\n", one.event.getRecommendationsList())));
                }));
    }
}
