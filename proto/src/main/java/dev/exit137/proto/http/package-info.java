/**
 * The small HTTP side of both daemons: {@code /livez}, {@code /readyz}, {@code /metrics}. Its own server, of one thread
 * that sleeps while nobody asks: the JDK's wakes every second, and has a stalled client hold a thread of its pool, so that
 * two of them could keep kubelet's probes out, which would end the daemon.
 */
package dev.exit137.proto.http;
