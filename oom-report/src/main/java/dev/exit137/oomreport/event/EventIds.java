package dev.exit137.oomreport.event;

import java.util.HexFormat;

/** Ids of events and incidents: deterministic, so that reading the same records again gives the same ids. */
public interface EventIds {
    /** The id of the kill with its first {@code Killed process} record at that sequence number. */
    String kill(long sequence);

    /** The id of the incident with its first record at that sequence number. */
    String incident(long firstSequence);

    /** Ids for records of /dev/kmsg; their sequence numbers are unique within a boot. */
    static EventIds ofBoot(String bootId) {
        return new EventIds() {
            @Override
            public String kill(long sequence) {
                return bootId + "/kmsg/" + sequence;
            }

            @Override
            public String incident(long firstSequence) {
                return bootId + "/incident/" + firstSequence;
            }
        };
    }

    /** Ids for the lines of a saved log, which has no boot id: the numbers of its lines are hashes. */
    static EventIds ofLog() {
        return new EventIds() {
            @Override
            public String kill(long hash) {
                return "log/" + HexFormat.of().toHexDigits(hash);
            }

            @Override
            public String incident(long hash) {
                return "log/incident/" + HexFormat.of().toHexDigits(hash);
            }
        };
    }
}
