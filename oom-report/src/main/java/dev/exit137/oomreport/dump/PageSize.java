package dev.exit137.oomreport.dump;

import static dev.exit137.oomreport.parse.OomLine.ABSENT;

import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Victim;
import java.util.OptionalLong;
import java.util.function.LongConsumer;

/** Converts the kernel's numbers of pages into bytes, and remembers whether there were any. */
final class PageSize {
    /** Pages are from 4 to 256 KiB. */
    private static final long MIN_BYTES = 4096;

    private static final long MAX_BYTES = 256 << 10;

    /** A process may grow or shrink between the two lines. */
    private static final double MAX_DRIFT = 0.125;

    private final long pageBytes;
    private final boolean assumed;
    private boolean used;

    PageSize(long pageBytes, boolean assumed) {
        this.pageBytes = pageBytes;
        this.assumed = assumed;
    }

    static boolean isOne(long bytes) {
        return bytes >= MIN_BYTES && bytes <= MAX_BYTES && Long.bitCount(bytes) == 1;
    }

    /**
     * What a page must be, as the address space of the process was printed in pages (task table) and in kB ({@code Killed
     * process}, a moment later). Empty where no size of a page fits.
     *
     * @param totalVmPages of the task table; ABSENT where it is not there
     */
    static OptionalLong ofVictim(Victim victim, long totalVmPages) {
        if (!victim.hasTotalVmBytes() || totalVmPages == ABSENT) {
            return OptionalLong.empty();
        }
        double printed = (double) victim.getTotalVmBytes() / totalVmPages;
        for (long bytes = MIN_BYTES; bytes <= MAX_BYTES; bytes *= 2) {
            if (Math.abs(printed / bytes - 1) < MAX_DRIFT) {
                return OptionalLong.of(bytes);
            }
        }
        return OptionalLong.empty();
    }

    /** The bytes; ABSENT where the number of pages is absent or beyond any machine. */
    long bytes(long pages) {
        return pages < 0 || pages > Long.MAX_VALUE / pageBytes ? ABSENT : pages * pageBytes;
    }

    /** Passes the bytes to the setter, if there are any. */
    void ifBytes(long pages, LongConsumer setter) {
        if (bytes(pages) >= 0) {
            used = true;
            setter.accept(bytes(pages));
        }
    }

    void addTo(Incident.Builder incident) {
        if (used) {
            incident.setPageSizeBytes(pageBytes).setPageSizeAssumed(assumed);
        }
    }
}
