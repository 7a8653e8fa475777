package dev.exit137.aggregator.access;

import dev.exit137.aggregator.server.Refusals;
import io.grpc.Context;
import io.grpc.Status;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The caller of a call, and its permissions.
 *
 * @param names all proven names: DNS and URI names of its certificate, node and service account of its token
 * @param mayPublish whether it may publish at all
 * @param nodes the nodes for which it may publish; empty for all
 * @param mayReadSender whether it may read who sent a signal ({@code ExitEvent.sender})
 * @param provenUntil when its certificate or token expires
 */
public record Caller(
        Set<String> names, boolean mayPublish, Set<String> nodes, boolean mayReadSender, Instant provenUntil) {
    static final String NODE = "node:";

    /** An anonymous caller, for an aggregator without authentication. */
    public static final Caller ANYONE = new Caller(Set.of(), true, Set.of(), true, Instant.MAX);

    static final Context.Key<Caller> KEY = Context.keyWithDefault("caller", ANYONE);

    /** Returns the caller of the call that this thread serves. */
    public static Caller current() {
        return KEY.get();
    }

    /** Whether it may publish the messages of that node. */
    public boolean mayPublishFor(String node) {
        return mayPublish && (nodes.isEmpty() || nodes.contains(node));
    }

    /**
     * Returns the final status of a stream after the certificate or token of the caller has expired, and counts a
     * rejection; empty before that.
     *
     * @param now by the wall clock
     */
    public Optional<Status> ended(Instant now, Refusals refusals) {
        if (!now.isAfter(provenUntil)) {
            return Optional.empty();
        }
        String why =
                "the token or certificate with which this stream began ended at " + provenUntil + "; connect again";
        refusals.add(Refusals.Reason.UNAUTHENTICATED, "a stream of " + this + ": " + why);
        return Optional.of(Status.UNAUTHENTICATED.withDescription(why));
    }

    /** Whether the name matches one of these; a star at the end of a pattern stands for any rest. */
    static boolean isAmong(List<String> allowed, String name) {
        return allowed.stream()
                .anyMatch(pattern -> pattern.endsWith("*")
                        ? name.startsWith(pattern.substring(0, pattern.length() - 1))
                        : name.equals(pattern));
    }

    /** Returns the names, for messages. */
    @Override
    public String toString() {
        return names.isEmpty() ? "a caller without a name" : String.join(", ", names);
    }
}
