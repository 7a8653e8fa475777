package dev.exit137.cli.client;

/** Whether the aggregator is lost, for all streams of one connection: a person is told once. Any thread. */
final class Outage {
    private int lost;

    /** A stream has lost it; returns whether it is the first one. */
    synchronized boolean begin() {
        return lost++ == 0;
    }

    /** A stream that had lost it has it again; returns whether it is the last one. */
    synchronized boolean end() {
        return --lost == 0;
    }
}
