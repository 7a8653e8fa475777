/**
 * The small HTTP server of both daemons: {@code /livez}, {@code /readyz}, {@code /metrics}, on the JDK's module {@code
 * jdk.httpserver}.
 */
@NullMarked
package dev.exit137.daemon.http;

import org.jspecify.annotations.NullMarked;
