package dev.exit137.exitreport.facts;

/**
 * Whether the trace of signals covers the time of an end.
 *
 * @param whole it recorded every SIGKILL from before the end until after it, and none was overwritten
 * @param missing why it is not whole, fit for a user; empty if it is
 */
public record TraceState(boolean whole, String missing) {
    /** The trace covers the end. */
    public static final TraceState WHOLE = new TraceState(true, "");

    /** Returns the state of a trace that does not cover the end. */
    public static TraceState without(String reason) {
        return new TraceState(false, reason);
    }
}
