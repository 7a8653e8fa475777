package dev.exit137.daemon.http;

import java.nio.charset.StandardCharsets;

/**
 * A response.
 *
 * @param status of HTTP: 200, 404, …
 * @param contentType of the body
 * @param body the whole body; never modified
 */
public record Answer(int status, String contentType, byte[] body) {
    private static final String PLAIN_TEXT = "text/plain; charset=utf-8";

    /** A plain-text response, for a user and for a probe that reads only the status. */
    public static Answer text(int status, String text) {
        return new Answer(status, PLAIN_TEXT, text.getBytes(StandardCharsets.UTF_8));
    }
}
