package dev.exit137.oomreport.dump;

import static dev.exit137.oomreport.parse.OomLine.ABSENT;

import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The columns of the kernel's task table that are read. */
enum TaskColumn {
    UID,
    TGID,
    TOTAL_VM,
    RSS,
    RSS_ANON,
    RSS_FILE,
    RSS_SHMEM,
    NR_PTES,
    NR_PMDS,
    NR_PUDS,
    PGTABLES_BYTES,
    SWAPENTS,
    OOM_SCORE_ADJ,
    /** {@code cpu}, {@code oom_adj}, or a column that no kernel of kernel.org has. */
    OTHER;

    static final int COUNT = values().length;

    /** Every version begins with these four columns: uid, tgid, total_vm, rss. */
    static final int EVERYWHERE = 4;

    private static final Map<String, TaskColumn> BY_NAME = Stream.of(values())
            .collect(Collectors.toMap(column -> column.name().toLowerCase(Locale.ROOT), column -> column));

    private static final TaskColumn[] CERTAIN = {UID, TGID, TOTAL_VM, RSS};
    /** To 2.6.35: {@code cpu oom_adj}. */
    private static final TaskColumn[] SIX = {UID, TGID, TOTAL_VM, RSS, OTHER, OTHER};
    /** {@code cpu oom_adj}, {@code nr_ptes swapents} or {@code pgtables_bytes swapents}. */
    private static final TaskColumn[] SEVEN = {UID, TGID, TOTAL_VM, RSS, OTHER, OTHER, OOM_SCORE_ADJ};
    /** 4.1 to 4.14. */
    private static final TaskColumn[] EIGHT = {UID, TGID, TOTAL_VM, RSS, NR_PTES, NR_PMDS, SWAPENTS, OOM_SCORE_ADJ};
    /** From 6.8. */
    private static final TaskColumn[] TEN = {
        UID, TGID, TOTAL_VM, RSS, RSS_ANON, RSS_FILE, RSS_SHMEM, PGTABLES_BYTES, SWAPENTS, OOM_SCORE_ADJ
    };

    static TaskColumn named(String name) {
        return BY_NAME.getOrDefault(name.toLowerCase(Locale.ROOT), OTHER);
    }

    /** The columns that are certain for a row with that many numbers between the pid and the name. */
    static TaskColumn[] byCount(int numbers) {
        return switch (numbers) {
            case 6 -> SIX;
            case 7 -> SEVEN;
            case 8, 9 -> EIGHT;
            default -> numbers < 6 ? CERTAIN : TEN;
        };
    }

    /** The value of a printed {@code -value}: an oom_score_adj, a uid beyond 2^31 ({@code %d}), or ABSENT. */
    long negative(long value) {
        return switch (this) {
            case OOM_SCORE_ADJ -> -value;
            case UID -> -value & 0xffff_ffffL;
            default -> ABSENT;
        };
    }
}
