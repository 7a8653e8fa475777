package dev.exit137.agent.delivery.spool;

/**
 * Where a record of the spool is.
 *
 * @param segment number of its file
 * @param offset of its first byte there
 */
public record Position(long segment, long offset) {}
