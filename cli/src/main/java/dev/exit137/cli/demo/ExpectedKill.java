package dev.exit137.cli.demo;

import dev.exit137.proto.v1.OomKillEvent;
import java.util.ArrayList;
import java.util.List;

/** The kill that was made, to compare an event with. */
public record ExpectedKill(long pid, String comm, String cgroupPath) {

  /** Whether the event speaks of this process, rightly or wrongly. */
  public boolean isMeantBy(OomKillEvent event) {
    return event.getVictim().getPid() == pid && !event.getRecovered();
  }

  /** What is wrong with an event that means this kill; empty when it is right. */
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
