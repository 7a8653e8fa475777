package dev.exit137.aggregator.access;

import dev.exit137.aggregator.server.Refusals;
import io.grpc.Context;
import io.grpc.Status;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Who makes a call, and what that lets it do.
 *
 * @param names all that it has proved: DNS and URI names of its certificate, node and service account of its token
 * @param mayPublish whether it may publish at all
 * @param nodes for which it may publish; empty for all
 * @param provenUntil when its certificate or token ends
 */
public record Caller(Set<String> names, boolean mayPublish, Set<String> nodes, Instant provenUntil) {
  static final String NODE = "node:";

  /** Somebody, where nobody needs to say who it is. */
  public static final Caller ANYONE = new Caller(Set.of(), true, Set.of(), Instant.MAX);

  static final Context.Key<Caller> KEY = Context.keyWithDefault("caller", ANYONE);

  /** The one whose call is being served on this thread. */
  public static Caller current() {
    return KEY.get();
  }

  /** Whether it may publish what that node says of itself. */
  public boolean mayPublishFor(String node) {
    return mayPublish && (nodes.isEmpty() || nodes.contains(node));
  }

  /**
   * How a stream of this caller ends when its certificate or token has ended, which is counted as a refusal; empty while
   * it has not.
   *
   * @param now by the wall clock
   */
  public Optional<Status> ended(Instant now, Refusals refusals) {
    if (!now.isAfter(provenUntil)) {
      return Optional.empty();
    }
    String why = "the token or certificate with which this stream began ended at " + provenUntil + "; connect again";
    refusals.add(Refusals.Reason.UNAUTHENTICATED, "a stream of " + this + ": " + why);
    return Optional.of(Status.UNAUTHENTICATED.withDescription(why));
  }

  /** Whether one of its names is among these; a star at the end of one of these stands for the rest. */
  static boolean isAmong(List<String> allowed, String name) {
    return allowed.stream().anyMatch(pattern ->
        pattern.endsWith("*")
            ? name.startsWith(pattern.substring(0, pattern.length() - 1))
            : name.equals(pattern));
  }

  /** For messages. */
  @Override
  public String toString() {
    return names.isEmpty() ? "a caller without a name" : String.join(", ", names);
  }
}
