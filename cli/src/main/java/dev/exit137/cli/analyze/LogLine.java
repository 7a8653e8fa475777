package dev.exit137.cli.analyze;

import dev.exit137.agent.correlate.EventFactory;
import java.time.Instant;

/**
 * Where and when a line of a report stands in the log.
 *
 * @param number from 1
 * @param hash of the whole line, 63 bits
 * @param kernelMicros printk's time, microseconds since boot; -1 for none
 * @param ofDayMicros the time of day that is printed; -1 for none
 * @param wall that time, where it is an instant; else null
 * @param printedTime as it is printed; empty for none
 * @param host that syslog names; empty for none
 * @param suppressedBefore reports that the kernel says it left out before this line
 */
record LogLine(
    long number, long hash, long kernelMicros, long ofDayMicros, Instant wall, String printedTime, String host,
    long suppressedBefore) {

  /** Nobody observed it. */
  EventFactory.Times times() {
    return new EventFactory.Times(kernelMicros, wall, null, false);
  }
}
