package dev.exit137.agent.kmsg;

import static dev.exit137.agent.kmsg.OomLine.ABSENT;
import static dev.exit137.agent.kmsg.TextCursor.ascii;

/** The one line that every kill has: it is not rate-limited. */
final class KilledLine {
  static final byte[] KILLED = ascii("Killed process ");
  private static final byte[] MESSAGE_END = ascii(": ");
  private static final byte[] COLON_KILLED = ascii(": Killed process ");
  private static final byte[] COMM = ascii(" (");
  private static final byte[] COMM_END = ascii(")");
  private static final byte[] COMMA_UID = ascii(", UID ");
  private static final byte[] COMMA = ascii(",");
  private static final byte[] TOTAL_VM = ascii(" total-vm:");
  private static final byte[] ANON_RSS = ascii(", anon-rss:");
  private static final byte[] FILE_RSS = ascii(", file-rss:");
  private static final byte[] SHMEM_RSS = ascii(", shmem-rss:");
  private static final byte[] UID = ascii(", UID:");
  private static final byte[] PGTABLES = ascii(" pgtables:");
  private static final byte[] OOM_SCORE_ADJ = ascii(" oom_score_adj:");

  private KilledLine() {}

  /**
   * Memory cgroup out of memory: Killed process 7788 (bash) total-vm:7169492kB, anon-rss:7165824kB, file-rss:956kB,
   * shmem-rss:0kB, UID:0 pgtables:14076kB oom_score_adj:1000 (5.4 and later)
   *
   * <p>Memory cgroup out of memory: Killed process 23793 (leaker) total-vm:2623712kB, anon-rss:506500kB,
   * file-rss:1268kB, shmem-rss:0kB (5.1)
   *
   * <p>Killed process 3359 (a.out) total-vm:4267252kB, anon-rss:2894908kB, file-rss:0kB, shmem-rss:0kB (before)
   *
   * <p>What a later kernel adds behind is passed over: a kill that is not told is worse.
   */
  static void parse(TextCursor text, OomLine line) {
    int start = text.position();
    int messageEnd = text.at(start, KILLED) ? start : text.find(COLON_KILLED, start, text.end());
    if (messageEnd < 0) {
      return;
    }
    text.position(messageEnd);
    text.skip(MESSAGE_END);
    line.pid = text.number(KILLED, Integer.MAX_VALUE);
    // Killed process 13550, UID 500, (java) total-vm:12466024kB, anon-rss:7625016kB, file-rss:2608kB (RHEL 6)
    line.uid = text.number(COMMA_UID, OomLineParser.MAX_UID);
    if (line.pid == ABSENT || line.uid != ABSENT && !text.skip(COMMA) || !text.skip(COMM)) {
      return;
    }
    int comm = text.position();
    int commEnd = findCommEnd(text, line);
    if (commEnd < 0) {
      return;
    }
    line.killMessage.set(text.buffer(), start, messageEnd - start);
    line.comm.set(text.buffer(), comm, commEnd - comm);
    line.anonRssBytes = text.sizeBytes(ANON_RSS);
    line.fileRssBytes = text.sizeBytes(FILE_RSS);
    line.shmemRssBytes = text.sizeBytes(SHMEM_RSS);
    long uid = text.number(UID, OomLineParser.MAX_UID);
    line.uid = uid == ABSENT ? line.uid : uid;
    line.pgtablesBytes = text.sizeBytes(PGTABLES);
    line.oomScoreAdj = text.signed(OOM_SCORE_ADJ, OomLineParser.MAX_OOM_SCORE_ADJ);
    line.kind = OomLine.Kind.KILLED;
  }

  /**
   * A comm may hold {@code ) (} and even {@code ) total-vm:1kB}, but not {@code ) total-vm:1kB, anon-rss:}, which is
   * longer than any comm. So the first of these is the true one, and a line cut within the comm has none.
   */
  private static int findCommEnd(TextCursor text, OomLine line) {
    int end = text.find(COMM_END, text.position(), text.end());
    while (end >= 0) {
      text.position(end);
      text.skip(COMM_END);
      // Killed process 42452 (memcg_test_1), UID 0, total-vm:7296kB, anon-rss:96kB, file-rss:164kB (RHEL 7)
      long uid = text.number(COMMA_UID, OomLineParser.MAX_UID);
      boolean comma = uid == ABSENT || text.skip(COMMA);
      line.totalVmBytes = text.sizeBytes(TOTAL_VM);
      if (comma && line.totalVmBytes != ABSENT && text.at(text.position(), ANON_RSS)) {
        line.uid = uid == ABSENT ? line.uid : uid;
        return end;
      }
      end = text.find(COMM_END, end + 1, text.end());
    }
    return -1;
  }
}
