package dev.exit137.oomreport.parse;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.exit137.oomreport.parse.OomLine.Kind;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** With the flags of the launcher: the first compiler only, so that nothing is optimised away. */
class AllocationTest {
    private static final int WARM_UP_RECORDS = 20_000;
    private static final int RECORDS = 100_000;

    private final KmsgRecordFlyweight view = new KmsgRecordFlyweight();
    private final OomLineParser parser = new OomLineParser();
    private final OomLine line = new OomLine();
    private final ByteText kept = new ByteText(4096);
    private int kills;

    @Test
    void readingRecordsAllocatesNothing() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        byte[][] records = records();
        read(records, WARM_UP_RECORDS);
        kills = 0;

        long before = threads.getCurrentThreadAllocatedBytes();
        read(records, RECORDS);
        long allocatedBytes = threads.getCurrentThreadAllocatedBytes() - before;

        assertThat(kills).as("kills among the records").isGreaterThan(1000);
        assertThat(allocatedBytes).isZero();
    }

    private void read(byte[][] records, int count) {
        for (int i = 0; i < count; i++) {
            byte[] record = records[i % records.length];
            parser.parse(view.wrap(record, 0, record.length), line);
            kept.copyFrom(line.taskMemcg());
            if (line.kind() == Kind.KILLED && !kept.contentEquals(line.comm())) {
                kills++;
            }
        }
    }

    /** What kernels printed, every form, and bytes that are no record. */
    private static byte[][] records() {
        List<byte[]> records = new ArrayList<>(Records.fixtures());
        Forms.LINES.forEach(form -> records.add(Records.of(form)));
        records.add(Records.of("usb 1-1: Product: x invoked oom-killer: gfp_mask=0x0(), order=0, oom_score_adj=0"));
        records.add(Records.of("Killed process 13550 (java) tot"));
        records.add(Records.of(""));
        records.add(Records.bytes("no record"));
        records.add(Records.bytes("6,1,2,-;no newline"));
        return records.toArray(new byte[0][]);
    }
}
