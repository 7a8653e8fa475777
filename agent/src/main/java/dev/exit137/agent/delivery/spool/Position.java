package dev.exit137.agent.delivery.spool;

/**
 * The place of a record in the spool.
 *
 * @param segment number of its file
 * @param offset of its first byte in the file
 */
public record Position(long segment, long offset) {}
