package dev.exit137.daemon.http;

/**
 * One line of a probe's answer.
 *
 * @param name of what was looked at
 * @param passed whether the probe may succeed
 * @param detail how it is, in some words; {@code ok} where there is nothing to say
 */
public record Check(String name, boolean passed, String detail) {
  private static final String OK = "ok";

  /** It is as it should be. */
  public static Check ok(String name) {
    return new Check(name, true, OK);
  }

  /** Said to a person, and no reason for the probe to fail. */
  public static Check note(String name, String detail) {
    return new Check(name, true, detail.isEmpty() ? OK : detail);
  }

  /** The probe fails for it. */
  public static Check failed(String name, String detail) {
    return new Check(name, false, detail);
  }

  @Override
  public String toString() {
    return name + " " + detail;
  }
}
