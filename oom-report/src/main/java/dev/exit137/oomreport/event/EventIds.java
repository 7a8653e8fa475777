package dev.exit137.oomreport.event;

import java.util.HexFormat;

/** How events and incidents are called: deterministic, so that reading the same records again gives the same ids. */
public interface EventIds {
  /** Of the kill whose first {@code Killed process} record has that sequence number. */
  String kill(long sequence);

  /** Of the incident whose first record has that sequence number. */
  String incident(long firstSequence);

  /** Of records of /dev/kmsg, whose sequence numbers are unique within a boot. */
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

  /** Of the lines of a saved log, which tells of no boot id: their numbers are hashes of the lines. */
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
