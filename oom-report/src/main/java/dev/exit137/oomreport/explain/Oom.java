package dev.exit137.oomreport.explain;

import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.MemoryBreakdown;
import dev.exit137.proto.v1.MemorySample;
import dev.exit137.proto.v1.NodeMemory;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.OomKillEventOrBuilder;
import dev.exit137.proto.v1.Task;
import dev.exit137.proto.v1.Trigger;
import dev.exit137.proto.v1.Victim;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** One OOM with the data that several rules need. */
record Oom(OomKillEventOrBuilder event, Incident incident, Zones zones) {
    private static final long NEARLY = 50;

    Oom(OomKillEventOrBuilder event) {
        this(event, event.getIncident(), Zones.of(event.getIncident()));
    }

    Limit limit() {
        return incident.getLimit();
    }

    MemoryBreakdown memory() {
        return incident.getMemory();
    }

    NodeMemory nodeMemory() {
        return incident.getNodeMemory();
    }

    Trigger trigger() {
        return incident.getTrigger();
    }

    boolean isMemcg() {
        return event.getScope() == Scope.MEMCG;
    }

    /** The node itself, or a part of it, had no memory. */
    boolean isNode() {
        return event.getScope() == Scope.GLOBAL
                || event.getScope() == Scope.CPUSET
                || event.getScope() == Scope.MEMORY_POLICY;
    }

    /** A user asked the kernel to kill: sysrq f. */
    boolean isAskedFor() {
        return trigger().hasOrder() && trigger().getOrder() < 0;
    }

    /** The OOM came from a page fault without an allocation of its own, `gfp_mask=0x0`; kernels before 5.16. */
    boolean isPageFault() {
        OptionalLong bits = GfpMask.bits(trigger().getGfpMask());
        return bits.isPresent() && bits.getAsLong() == 0 && !isAskedFor();
    }

    /**
     * Whether the known memory shows the contents of the full limit. A sample from before the kill does if the cgroup was
     * nearly full then with memory that the kernel cannot take back: page cache gives way to the rest.
     */
    boolean isMemoryAtTheLimit() {
        MemorySample sample = incident.getMemorySample();
        long reclaimable = Part.of(memory()).stream()
                .filter(part -> part.kind() == Part.Kind.CACHE || part.kind() == Part.Kind.SLAB)
                .mapToLong(Part::bytes)
                .sum();
        return !incident.hasMemorySample()
                || (isSampleOfTheLimit()
                        && sample.getUsageBytes() - reclaimable
                                >= sample.getLimitBytes() - sample.getLimitBytes() / 10);
    }

    /** The memory was read before the kill, and is that of the very cgroup at its limit. */
    boolean isSampleOfTheLimit() {
        MemorySample sample = incident.getMemorySample();
        return incident.hasMemorySample()
                && sample.getCgroup().equals(limit().getCgroup())
                && sample.getLimitBytes() > 0
                && Sizes.isLimit(sample.getLimitBytes());
    }

    /** {@code , 3.0 s before the kill}; empty where the memory comes from the kernel's own report. */
    String before() {
        return incident.hasMemorySample()
                ? ", " + Sizes.seconds(incident.getMemorySample().getAgeNanos()) + " before the kill"
                : "";
    }

    /** The total that the parts belong to, {@link Part#whole}. */
    OptionalLong whole() {
        return Part.whole(event);
    }

    /**
     * Resident memory of the victim; empty where it is not known. Pages of files and of tmpfs may be charged to another
     * cgroup: if the sum is more than the limit, these are left out.
     */
    OptionalLong victimHeld() {
        Victim victim = event.getVictim();
        if (!victim.hasAnonRssBytes() && !victim.hasFileRssBytes() && !victim.hasShmemRssBytes()) {
            return OptionalLong.empty();
        }
        long anon = victim.getAnonRssBytes();
        long held = anon + victim.getShmemRssBytes() + victim.getFileRssBytes();
        if (isAboveLimit(held) && anon > 0) {
            long withoutFiles = anon + victim.getShmemRssBytes();
            held = isAboveLimit(withoutFiles) ? anon : withoutFiles;
        }
        return OptionalLong.of(held);
    }

    private boolean isAboveLimit(long bytes) {
        return isMemcg() && limit().hasLimitBytes() && bytes > limit().getLimitBytes();
    }

    /** The task that held the most memory; empty without a task table. */
    Optional<Task> largestTask() {
        return incident.getTasksList().stream().max(Comparator.comparingLong(Task::getRssBytes));
    }

    boolean isVictim(Task task) {
        return event.getVictim().hasPid() && task.getPid() == event.getVictim().getPid();
    }

    /** {@code mysqld (pid 4711)}. */
    String victim() {
        Victim victim = event.getVictim();
        return victim.hasPid() ? process(victim.getComm(), victim.getPid()) : process(victim.getComm());
    }

    /** {@code redis (pid 5) in container cache of the same pod}: with its place, unless that is the victim's. */
    String process(Task task) {
        String name = process(task.getComm(), task.getPid());
        String cgroup = task.getCgroupPath();
        Container container = task.getContainer();
        Container victims = event.getContainer();
        boolean sameContainer = !victims.getId().isEmpty() && victims.getId().equals(container.getId());
        if (isVictim(task) || sameContainer || cgroup.equals(victimCgroup()) || !isOwned(cgroup)) {
            return name;
        }
        boolean samePod = !container.getPod().getUid().isEmpty()
                && container.getPod().getUid().equals(victims.getPod().getUid());
        return samePod
                ? name + " in "
                        + CgroupName.of(cgroup, container.toBuilder().clearPod().build()) + " of the same pod"
                : name + " in " + CgroupName.of(cgroup, container);
    }

    static String process(String comm, int pid) {
        return process(comm) + " (pid " + Integer.toUnsignedString(pid) + ")";
    }

    static String process(String comm) {
        return comm.isEmpty() ? "a process" : comm;
    }

    /** The cgroup of the victim; empty where it is not known. */
    String victimCgroup() {
        return incident.getTaskMemcg().isEmpty() ? event.getCgroupPath() : incident.getTaskMemcg();
    }

    /** A cgroup in a sentence, with the names of the victim's container where it is that container's. */
    String name(String cgroup) {
        return CgroupName.of(cgroup, event.getContainer());
    }

    /**
     * Whether the cgroup is a container or a service: a victim's owner on the node matters, though its limit was not hit.
     */
    static boolean isOwned(String cgroup) {
        CgroupPath path = CgroupPath.parse(cgroup);
        return path.container().isPresent() || !path.unit().isEmpty();
    }

    /** The cgroup whose limit it is, a container's own rather than its pod's; empty where none is known. */
    String limitCgroup() {
        return EventFactory.ownerCgroup(limit());
    }

    /** The victim is in another cgroup than the one whose limit it is. */
    boolean isVictimElsewhere() {
        return isMemcg()
                && event.hasVictim()
                && !limitCgroup().isEmpty()
                && !victimCgroup().isEmpty()
                && !victimCgroup().equals(limitCgroup());
    }

    /** A counter is charged in steps, and some of it is given back by the time of the report: 2 % are near enough. */
    static boolean isNearly(long usage, long limit) {
        return Sizes.isLimit(limit) && usage >= limit - limit / NEARLY;
    }

    /** Whether a part matters: it is at least a quarter of the whole. */
    static boolean isLarge(long part, long whole) {
        return part > 0 && part >= whole / 4;
    }

    /** {@code a (pid 1) 3.0 GiB, b (pid 2) 1.0 GiB}: the largest of the table. */
    String largestTasks(int count) {
        List<String> names = incident.getTasksList().stream()
                .sorted(Comparator.comparingLong(Task::getRssBytes).reversed())
                .limit(count)
                .map(task -> process(task) + " " + Sizes.text(task.getRssBytes()))
                .toList();
        return String.join(", ", names);
    }

    /** Number of tasks in the table, including those that the event leaves out. */
    long taskCount() {
        return incident.getTasksCount() + incident.getTasksOmitted().getCount();
    }
}
