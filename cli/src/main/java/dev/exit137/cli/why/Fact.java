package dev.exit137.cli.why;

/**
 * A fact beside the events of a subject, such as a limit, a full disk or a login.
 *
 * @param certain whether a source states it; false for what is only possible
 * @param text a sentence without a full stop
 */
public record Fact(boolean certain, String text) {
    /** A fact that the machine itself states. */
    public static Fact certain(String text) {
        return new Fact(true, text);
    }

    /** A fact that may have to do with the end, or may not. */
    public static Fact possible(String text) {
        return new Fact(false, text);
    }
}
