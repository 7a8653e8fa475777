package dev.exit137.agent.kmsg;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.oomreport.incident.IncidentAssembler;
import dev.exit137.oomreport.incident.OomIncident;
import dev.exit137.oomreport.incident.ReportSlab;
import dev.exit137.oomreport.parse.KmsgRecordFlyweight;
import dev.exit137.oomreport.parse.OomLine;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** From read(2) on the kernel's own log to the assembled incident: nothing is allocated per record. */
class ReadPathAllocationTest {
    private static final int WARM_UP_ROUNDS = 60;
    private static final Path KMSG = Path.of("/dev/kmsg");
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final ReportSlab slab = new ReportSlab();
    private final IncidentAssembler assembler = new IncidentAssembler(new IncidentAssembler.Sink() {
        @Override
        public void onBegun(OomIncident incident) {
            slab.clear();
        }

        @Override
        public boolean isGroupMember(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
            return true;
        }

        @Override
        public void onKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {}

        @Override
        public void onRepeatedKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {}

        @Override
        public void onClosed(OomIncident incident) {}
    });
    private long records;

    private final KmsgSource.Sink sink = new KmsgSource.Sink() {
        @Override
        public boolean hasRoom() {
            return true;
        }

        @Override
        public void onRecord(KmsgRecordFlyweight kernelRecord) {
            records++;
            assembler.onRecord(kernelRecord);
            if (assembler.isInHead()) {
                slab.append(kernelRecord);
            }
        }

        @Override
        public void onGap() {}

        @Override
        public void onPaused() {}

        @Override
        public void onFailed(String reason) {
            throw new AssertionError(reason);
        }
    };

    @Test
    void readingTheWholeRingAllocatesNothing() throws IOException {
        long allocated = -1;
        for (int round = 0; round <= WARM_UP_ROUNDS; round++) {
            KmsgSource source = open();
            records = 0;
            long before = THREADS.getCurrentThreadAllocatedBytes();
            source.drain();
            allocated = THREADS.getCurrentThreadAllocatedBytes() - before;
            source.close();
        }
        assertThat(records).as("kernel records in the ring").isPositive();
        assertThat(allocated).as("bytes for %d records", records).isZero();
    }

    private KmsgSource open() {
        KmsgSource source = new KmsgSource(KMSG, 0, sink, new Guard());
        try {
            source.open();
            return source;
        } catch (IOException e) {
            System.out.println("ReadPathAllocationTest is skipped: " + e.getMessage());
            return Assumptions.abort(e.getMessage());
        }
    }
}
