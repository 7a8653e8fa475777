package dev.exit137.agent.correlate;

import dev.exit137.agent.linux.FileReader;
import dev.exit137.agent.linux.NativeMemory;
import dev.exit137.agent.linux.Sys;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Proves that no kill was lost: {@code oom_kill} of /proc/vmstat grows by one for every {@code Killed process} record,
 * repeated records of a process included. The kernel counts before it prints.
 *
 * <p>Owned by the agent-epoll thread.
 */
public final class KillBalance {
    /** The counter cannot be read. */
    public static final long UNKNOWN = -1;

    private static final byte[] OOM_KILL = "oom_kill".getBytes(StandardCharsets.US_ASCII);

    private final FileReader file = new FileReader(32 * 1024);
    private final NativeMemory name = Sys.nativeString("vmstat");
    private final int procFd;
    private long beforeFirstRecord;
    private long kills;
    private long repeatedKillRecords;
    private long vmstat = UNKNOWN;
    private long unaccounted;

    /** @param procRoot a procfs; if its vmstat has no oom_kill (kernels before 4.13), there is no balance */
    public KillBalance(Path procRoot) {
        procFd = Sys.open(procRoot.toString(), Sys.O_PATH | Sys.O_DIRECTORY | Sys.O_CLOEXEC);
    }

    /** Continues an earlier run in the same boot. */
    public void restore(long beforeFirstRecord, long kills, long repeatedKillRecords, long unaccounted) {
        this.beforeFirstRecord = beforeFirstRecord;
        this.kills = kills;
        this.repeatedKillRecords = repeatedKillRecords;
        this.unaccounted = unaccounted;
    }

    /** Reads the counter; {@link #UNKNOWN} where it cannot be read. */
    public long read() {
        vmstat = file.read(procFd, name) < 0 ? UNKNOWN : file.valueOf(OOM_KILL);
        return vmstat;
    }

    void onKill() {
        kills++;
    }

    void onRepeatedKillRecord() {
        repeatedKillRecords++;
    }

    /** A record has come that {@link #startHere} counted as one from before the ring's oldest record. */
    void onRecordFromBefore() {
        beforeFirstRecord = Math.max(0, beforeFirstRecord - 1);
    }

    /**
     * Kills that the last {@link #read} counted and that are in no record so far came before the oldest record of the
     * ring.
     */
    public void startHere() {
        beforeFirstRecord += difference();
        unaccounted = 0;
    }

    /**
     * Unaccounted kills between the last {@link #settle} and the last {@link #read}; negative when records came after it.
     * A kill that was lost for good before must not pass for a kill with a record still to come.
     */
    long missing() {
        return difference() - unaccounted;
    }

    private long difference() {
        return vmstat == UNKNOWN ? 0 : vmstat - beforeFirstRecord - kills - repeatedKillRecords;
    }

    /** Takes the balance. The caller knows that the counter does not change and that kmsg was read to its end. */
    public void settle() {
        unaccounted = difference();
    }

    public long vmstat() {
        return vmstat;
    }

    public long beforeFirstRecord() {
        return beforeFirstRecord;
    }

    public long kills() {
        return kills;
    }

    public long repeatedKillRecords() {
        return repeatedKillRecords;
    }

    /** Kills that no event accounts for, at the last {@link #settle}. */
    public long unaccounted() {
        return unaccounted;
    }
}
