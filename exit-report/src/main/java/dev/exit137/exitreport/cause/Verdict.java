package dev.exit137.exitreport.cause;

import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Evidence;
import java.util.EnumSet;
import java.util.Set;

/** What a rule concludes. */
final class Verdict {
    final Cause cause;
    final String explanation;
    final AskedBy.Builder askedBy = AskedBy.newBuilder();
    final Set<Evidence> evidence = EnumSet.noneOf(Evidence.class);
    boolean inferred;

    Verdict(Cause cause, String explanation) {
        this.cause = cause;
        this.explanation = explanation;
    }

    /** Adds a source that supports the cause. */
    Verdict by(Evidence source) {
        evidence.add(source);
        return this;
    }

    Verdict asked(AskedBy.Kind kind, String detail) {
        askedBy.setKind(kind).setDetail(detail);
        return this;
    }

    /** Marks the cause as one that no source says. */
    Verdict inferred() {
        inferred = true;
        return this;
    }
}
