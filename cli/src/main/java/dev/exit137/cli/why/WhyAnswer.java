package dev.exit137.cli.why;

import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.OomKillEvent;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is known of one subject.
 *
 * @param name of the subject, as a person can ask for it again
 * @param exits its last ends, newest first
 * @param kills OOM kills in it, newest first, those of child processes included
 * @param facts beside them
 * @param unread what could not be read, each with its reason
 * @param restarted when it was started again after the newest end; null if it was not, or that is not known
 */
public record WhyAnswer(
        String name,
        List<ExitEvent> exits,
        List<OomKillEvent> kills,
        List<Fact> facts,
        List<String> unread,
        @Nullable Instant restarted) {
    /** Copies the mutable lists. */
    public WhyAnswer {
        exits = List.copyOf(exits);
        kills = List.copyOf(kills);
        facts = List.copyOf(facts);
        unread = List.copyOf(unread);
    }
}
