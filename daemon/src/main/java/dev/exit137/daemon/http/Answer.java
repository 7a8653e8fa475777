package dev.exit137.daemon.http;

import java.nio.charset.StandardCharsets;

/**
 * What a page says.
 *
 * @param status of HTTP: 200, 404, …
 * @param contentType of the body
 * @param body whole; not changed by anybody
 */
public record Answer(int status, String contentType, byte[] body) {
  private static final String PLAIN_TEXT = "text/plain; charset=utf-8";

  /** For a person, and for a probe that looks at the status alone. */
  public static Answer text(int status, String text) {
    return new Answer(status, PLAIN_TEXT, text.getBytes(StandardCharsets.UTF_8));
  }
}
