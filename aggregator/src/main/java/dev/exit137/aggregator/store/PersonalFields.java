package dev.exit137.aggregator.store;

import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.Sender;

/** The fields of an end that tell of a person: who sent the signal. */
final class PersonalFields {
    private PersonalFields() {}

    /** Returns the event without its sender; the same event if it has none. */
    static ExitEvent withoutSender(ExitEvent event) {
        return event.hasSender() ? event.toBuilder().clearSender().build() : event;
    }

    /**
     * Returns the event without the fields that are kept for a shorter time than the event. What the sender was (program,
     * container, unit) stays. The same event if it has none of them.
     */
    static ExitEvent withoutExpired(ExitEvent event) {
        Sender sender = event.getSender();
        boolean any = sender.hasUid()
                || sender.hasLoginuid()
                || !sender.getTty().isEmpty()
                || !sender.getCmdline().isEmpty()
                || sender.getParentsCount() > 0;
        if (!any) {
            return event;
        }
        ExitEvent.Builder without = event.toBuilder();
        without.getSenderBuilder()
                .clearUid()
                .clearLoginuid()
                .clearTty()
                .clearCmdline()
                .clearParents();
        return without.build();
    }
}
