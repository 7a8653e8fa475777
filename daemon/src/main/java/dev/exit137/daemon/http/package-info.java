/**
 * The small HTTP side of both daemons: {@code /livez}, {@code /readyz}, {@code /metrics}, by the server of the JDK's module
 * {@code jdk.httpserver}.
 */
@NullMarked
package dev.exit137.daemon.http;

import org.jspecify.annotations.NullMarked;
