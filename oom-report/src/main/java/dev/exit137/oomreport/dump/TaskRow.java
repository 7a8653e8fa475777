package dev.exit137.oomreport.dump;

import static dev.exit137.oomreport.parse.OomLine.ABSENT;

import dev.exit137.oomreport.parse.ByteText;
import dev.exit137.proto.v1.Task;

/**
 * One row of the task table.
 *
 * @param index the row's place in the table
 * @param values by column
 * @param comm as printed
 */
record TaskRow(long index, int pid, long[] values, byte[] comm) {
    private static final int MAX_OOM_SCORE_ADJ = 1000;

    /** Size of a table of page-table entries where it is one page. The table is smaller on kernels with larger pages. */
    private static final long PAGE_TABLE_BYTES = 4096;

    long get(TaskColumn column) {
        return values[column.ordinal()];
    }

    long rssPages() {
        return get(TaskColumn.RSS);
    }

    Task toTask(PageSize pageSize) {
        Task.Builder task = Task.newBuilder().setPid(pid).setComm(commText());
        long uid = get(TaskColumn.UID);
        if (uid >= 0 && uid <= 0xffff_ffffL) {
            task.setUid((int) uid);
        }
        long oomScoreAdj = get(TaskColumn.OOM_SCORE_ADJ);
        if (Math.abs(oomScoreAdj) <= MAX_OOM_SCORE_ADJ && oomScoreAdj != ABSENT) {
            task.setOomScoreAdj((int) oomScoreAdj);
        }
        pageSize.ifBytes(get(TaskColumn.TOTAL_VM), task::setTotalVmBytes);
        pageSize.ifBytes(get(TaskColumn.RSS), task::setRssBytes);
        pageSize.ifBytes(get(TaskColumn.RSS_ANON), task::setRssAnonBytes);
        pageSize.ifBytes(get(TaskColumn.RSS_FILE), task::setRssFileBytes);
        pageSize.ifBytes(get(TaskColumn.RSS_SHMEM), task::setRssShmemBytes);
        pageSize.ifBytes(get(TaskColumn.SWAPENTS), task::setSwapBytes);
        if (get(TaskColumn.PGTABLES_BYTES) >= 0) {
            task.setPgtablesBytes(get(TaskColumn.PGTABLES_BYTES));
        } else if (pageSize.bytes(1) == PAGE_TABLE_BYTES) {
            pageSize.ifBytes(pageTables(), task::setPgtablesBytes);
        }
        return task.build();
    }

    private long pageTables() {
        long ptes = get(TaskColumn.NR_PTES);
        return ptes < 0 ? ABSENT : ptes + Math.max(0, get(TaskColumn.NR_PMDS)) + Math.max(0, get(TaskColumn.NR_PUDS));
    }

    private String commText() {
        ByteText text = new ByteText(comm.length);
        text.set(comm, 0, comm.length);
        return text.toString();
    }
}
