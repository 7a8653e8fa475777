package dev.exit137.daemon.http;

/**
 * One line of a probe's response.
 *
 * @param name of the checked part
 * @param passed whether the probe may succeed
 * @param detail the state in a few words; {@code ok} if there is nothing to report
 */
public record Check(String name, boolean passed, String detail) {
    private static final String OK = "ok";

    /** The part works. */
    public static Check ok(String name) {
        return new Check(name, true, OK);
    }

    /** A note for the user that does not fail the probe. */
    public static Check note(String name, String detail) {
        return new Check(name, true, detail.isEmpty() ? OK : detail);
    }

    /** The probe fails. */
    public static Check failed(String name, String detail) {
        return new Check(name, false, detail);
    }

    @Override
    public String toString() {
        return name + " " + detail;
    }
}
