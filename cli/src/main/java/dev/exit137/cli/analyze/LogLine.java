package dev.exit137.cli.analyze;

import dev.exit137.oomreport.event.EventFactory;

/** The current line of the log: its position, time and source. */
final class LogLine {
    private final PrintedTime printed = new PrintedTime();
    private byte[] buffer = {};
    private int from;
    private int to;
    /** The position of the kernel's text in it. */
    final KernelText text = new KernelText();
    /** Number of the line, from 1. */
    long number;

    /** Reads line[from, to); returns whether it may be the kernel's. */
    boolean read(byte[] buffer, int from, int to, long number) {
        this.buffer = buffer;
        this.from = from;
        this.to = to;
        this.number = number;
        return text.find(buffer, from, to);
    }

    /** FNV-1a hash of the whole line, 63 bits: the same line always gives the same id. */
    long hash() {
        long hash = 0xcbf29ce484222325L;
        for (int i = from; i < to; i++) {
            hash = (hash ^ buffer[i]) * 0x100000001b3L;
        }
        return hash & Long.MAX_VALUE;
    }

    /** printk's time, microseconds since boot; -1 for none. */
    long kernelMicros() {
        return text.kernelMicros;
    }

    /** The printed time of day, microseconds; -1 for none. */
    long ofDayMicros() {
        return printed().ofDayMicros();
    }

    /** The time as it is printed, the wall's rather than the kernel's; empty for none. */
    String printedTime() {
        String wall = printed().text();
        if (!wall.isEmpty() || kernelMicros() < 0) {
            return wall;
        }
        String fraction = String.valueOf(1_000_000 + kernelMicros() % 1_000_000);
        return kernelMicros() / 1_000_000 + "." + fraction.substring(1);
    }

    /** The line's own times; there is no time of observation. */
    EventFactory.Times times() {
        return new EventFactory.Times(kernelMicros(), printed().instant(), null, false);
    }

    private PrintedTime printed() {
        printed.read(text.line, text.start, text.from);
        return printed;
    }
}
