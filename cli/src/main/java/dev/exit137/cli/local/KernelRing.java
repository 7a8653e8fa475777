package dev.exit137.cli.local;

import dev.exit137.agent.linux.NativeMemory;
import dev.exit137.agent.linux.Sys;
import dev.exit137.cli.analyze.LogCorrelator;
import dev.exit137.cli.analyze.LogReader;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.oomreport.parse.KmsgRecordFlyweight;
import dev.exit137.proto.v1.OomKillEvent;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The OOM kills that the kernel's ring buffer still has, by the code that reads saved logs. */
public final class KernelRing {
    /** Larger than any record (CONSOLE_EXT_LOG_MAX, kernel/printk/internal.h). */
    private static final int RECORD_BYTES = 16 << 10;

    private static final int MAX_BYTES = 64 << 20;

    private KernelRing() {}

    /**
     * What the ring has.
     *
     * @param since time of the oldest record; null if there is none, or the machine's start is not known
     */
    record Log(List<OomKillEvent> kills, @Nullable Instant since) {
        /** Whether all kills since then must be in it. */
        boolean reaches(Instant time) {
            return since != null && since.isBefore(time);
        }
    }

    /**
     * Reads the device to its present end.
     *
     * @param device normally {@code /dev/kmsg}
     * @param host gives times their date: the records have the time since boot
     * @throws IOException it cannot be read; the message says it to a person
     */
    static Log log(Path device, Host host) throws IOException {
        byte[] log = read(device);
        List<OomKillEvent> kills = new ArrayList<>();
        Optional<Instant> booted = host.booted();
        LogCorrelator correlator = new LogCorrelator(incident -> incident.events().stream()
                .filter(OomKillEvent::hasVictim)
                .map(event -> dated(event, booted.orElse(null)))
                .forEach(kills::add));
        new LogReader(correlator).read(new ByteArrayInputStream(log));
        correlator.close();
        return new Log(List.copyOf(kills), since(log, booted.orElse(null)));
    }

    private static @Nullable Instant since(byte[] log, @Nullable Instant booted) {
        int end = 0;
        while (end < log.length && log[end] != '\n') {
            end++;
        }
        KmsgRecordFlyweight oldest = new KmsgRecordFlyweight().wrap(log, 0, Math.min(end + 1, log.length));
        if (booted == null || !oldest.isValid()) {
            return null;
        }
        // The first record of a boot has the number 0: nothing is lost before it.
        return oldest.sequence() == 0 ? booted : booted.plus(oldest.timestampMicros(), ChronoUnit.MICROS);
    }

    private static OomKillEvent dated(OomKillEvent event, @Nullable Instant booted) {
        if (event.hasTime() || !event.hasKernelTime() || booted == null) {
            return event;
        }
        Instant time = booted.plusSeconds(event.getKernelTime().getSeconds())
                .plusNanos(event.getKernelTime().getNanos());
        return event.toBuilder().setTime(EventFactory.timestamp(time)).build();
    }

    private static byte[] read(Path device) throws IOException {
        int file = Sys.open(device.toString(), Sys.O_RDONLY | Sys.O_NONBLOCK | Sys.O_CLOEXEC);
        if (file < 0) {
            throw new IOException(device + ": " + Sys.describe(file));
        }
        try {
            NativeMemory memory = Sys.allocate(RECORD_BYTES);
            byte[] part = new byte[RECORD_BYTES];
            ByteArrayOutputStream log = new ByteArrayOutputStream();
            while (log.size() < MAX_BYTES) {
                int count = Sys.read(file, memory, RECORD_BYTES);
                if (count == 0 || count == -Sys.EAGAIN) {
                    break;
                }
                // EPIPE: records were overwritten; EINVAL: one was too long. Both go on with the next.
                if (count < 0 && count != -Sys.EPIPE && count != -Sys.EINVAL) {
                    throw new IOException(device + ": " + Sys.describe(count));
                }
                if (count > 0) {
                    memory.get(0, part, 0, count);
                    log.write(part, 0, count);
                }
            }
            return log.toByteArray();
        } finally {
            Sys.close(file);
        }
    }
}
