package dev.exit137.cli.demo;

import dev.exit137.proto.v1.OomKillEvent;
import java.util.ArrayList;
import java.util.List;

/** The kill of the demo, for the comparison with an event. */
public record ExpectedKill(long pid, String comm, String cgroupPath) {

    /** Whether the event is about this process, be it right or wrong. */
    public boolean isMeantBy(OomKillEvent event) {
        return event.getVictim().getPid() == pid && !event.getRecovered();
    }

    /** The mistakes in an event about this kill; empty if it is right. */
    public List<String> mistakes(OomKillEvent event) {
        List<String> mistakes = new ArrayList<>();
        compare(mistakes, "victim.comm", comm, event.getVictim().getComm());
        compare(mistakes, "cgroupPath", cgroupPath, event.getCgroupPath());
        compare(mistakes, "scope", OomKillEvent.Scope.MEMCG, event.getScope());
        compare(mistakes, "outcome", OomKillEvent.Outcome.KILLED, event.getOutcome());
        return mistakes;
    }

    private static void compare(List<String> mistakes, String field, Object expected, Object actual) {
        if (!expected.equals(actual)) {
            mistakes.add(field + " is '" + actual + "' and should be '" + expected + "'");
        }
    }
}
