package dev.exit137.oomreport.parse;

import static dev.exit137.oomreport.parse.Bytes.ascii;
import static dev.exit137.oomreport.parse.OomLine.ABSENT;

import dev.exit137.oomreport.parse.OomLine.Kind;

/** The block of a memory cgroup's OOM: the limit, its cgroup and the usage. Paths hold any byte but the newline. */
final class MemcgLine {
    private static final byte[] TASK_IN = ascii("Task in ");
    private static final byte[] LIMIT_OF = ascii(" killed as a result of limit of ");
    private static final byte[] LIMIT_REACHED = ascii("Memory limit reached of cgroup ");
    private static final byte[] TASKS_IN = ascii("Tasks in ");
    private static final byte[] GROUP_KILL = ascii(" are going to be killed due to memory.oom.group set");
    private static final byte[] STATS = ascii("Memory cgroup stats for ");
    private static final byte[] COLON = ascii(":");
    private static final byte[] COLON_CACHE = ascii(": cache:");
    private static final byte[] MEMORY = ascii("memory: usage ");
    private static final byte[] MEMORY_PLUS_SWAP = ascii("memory+swap: usage ");
    private static final byte[] SWAP = ascii("swap: usage ");
    private static final byte[] KMEM = ascii("kmem: usage ");
    private static final byte[] LIMIT = ascii(", limit ");
    private static final byte[] FAILCNT = ascii(", failcnt ");

    private MemcgLine() {}

    /** Reads the line that begins with {@code Task}. */
    static void parseTask(TextCursor text, OomLine line) {
        if (text.skip(TASK_IN)) {
            parseTaskIn(text, line);
        } else if (text.skip(TASKS_IN)) {
            parseGroupKill(text, line);
        }
    }

    /**
     * Task in /lxc.payload/a/system.slice/lxd.service killed as a result of limit of /lxc.payload/a (to 4.20)
     *
     * <p>The first cgroup is the second or below it: where a path has these words in it, that shows which of them are the
     * kernel's. If the process was moved meanwhile, this fails; then the first match is taken.
     */
    private static void parseTaskIn(TextCursor text, OomLine line) {
        int task = text.position();
        int first = text.find(LIMIT_OF, task);
        int chosen = first;
        while (chosen >= 0
                && !SummaryLine.isWithin(text.buffer(), task, chosen, chosen + LIMIT_OF.length, text.end())) {
            chosen = text.find(LIMIT_OF, chosen + 1);
        }
        int end = chosen >= 0 ? chosen : first;
        if (end >= 0) {
            set(line.taskMemcg, text, task, end);
            set(line.oomMemcg, text, end + LIMIT_OF.length, text.end());
            line.kind = Kind.TASK_IN;
        }
    }

    /** Tasks in /kubepods.slice/kubepods-podf9411888.slice are going to be killed due to memory.oom.group set */
    private static void parseGroupKill(TextCursor text, OomLine line) {
        if (text.endsWith(GROUP_KILL)) {
            set(line.groupMemcg, text, text.position(), text.end() - GROUP_KILL.length);
            line.kind = Kind.GROUP_KILL;
        }
    }

    /** Reads the line that begins with {@code Memory}, unless it is of another kind. */
    static void parseMemory(TextCursor text, OomLine line) {
        if (text.skip(STATS)) {
            parseStats(text, line);
        } else if (text.skip(LIMIT_REACHED)) {
            // Memory limit reached of cgroup /syz0 (3.16 to 4.20, where nothing may be killed)
            set(line.oomMemcg, text, text.position(), text.end());
            line.kind = Kind.TASK_IN;
        }
    }

    /**
     * Memory cgroup stats for /leaker: (from 5.3; the values follow, one a line)
     *
     * <p>Memory cgroup stats for /lxc/VM_A: cache:18092KB rss:34988KB rss_huge:14336KB … (3.9 to 5.2)
     */
    private static void parseStats(TextCursor text, OomLine line) {
        int path = text.position();
        int cache = text.findLast(COLON_CACHE, path);
        int end = cache >= 0 ? cache : text.endsWith(COLON) ? text.end() - COLON.length : -1;
        if (end >= 0) {
            set(line.oomMemcg, text, path, end);
            line.kind = Kind.MEMCG_STATS;
        }
    }

    /**
     * memory: usage 42240kB, limit 9007199254740988kB, failcnt 0
     *
     * <p>swap: usage 2112kB, limit 9007199254740988kB, failcnt 0 (v2)
     *
     * <p>memory+swap: usage 2592556kB, limit 9007199254740988kB, failcnt 0 (v1)
     *
     * <p>kmem: usage 124kB, limit 9007199254740988kB, failcnt 0 (v1, from 3.8)
     */
    static void parseUsage(TextCursor text, OomLine line) {
        if (readUsage(text, line, MEMORY)) {
            line.kind = Kind.MEMORY_USAGE;
        } else if (readUsage(text, line, SWAP)) {
            line.kind = Kind.SWAP_USAGE;
        } else if (readUsage(text, line, MEMORY_PLUS_SWAP)) {
            line.kind = Kind.SWAP_USAGE;
            line.memoryPlusSwap = true;
        } else if (readUsage(text, line, KMEM)) {
            line.kind = Kind.KMEM_USAGE;
        }
    }

    private static boolean readUsage(TextCursor text, OomLine line, byte[] start) {
        line.usageBytes = text.sizeBytes(start);
        if (line.usageBytes == ABSENT) {
            return false;
        }
        line.limitBytes = text.limitBytes(LIMIT);
        line.failcnt = text.number(FAILCNT, Long.MAX_VALUE);
        return true;
    }

    private static void set(ByteText field, TextCursor text, int from, int to) {
        field.set(text.buffer(), from, to - from);
    }
}
