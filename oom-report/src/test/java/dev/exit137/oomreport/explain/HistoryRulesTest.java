package dev.exit137.oomreport.explain;

import static dev.exit137.oomreport.explain.Reports.MIB;
import static dev.exit137.oomreport.explain.Reports.explanation;
import static dev.exit137.oomreport.explain.Reports.memcg;
import static dev.exit137.oomreport.explain.Reports.recommendations;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.WorkloadOom;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The same workload, killed again and again. */
class HistoryRulesTest {
    @Test
    void firstKillHasNoHistory() {
        assertThat(explanation(memcg())).doesNotContain("of this workload");
    }

    @Test
    void secondKillIsCountedAndNotYetCompared() {
        OomKillEvent.Builder event = killed(new long[] {0, 3 * 3600}, (i, oom) -> oom.setOwnLimitBytes(256 * MIB));
        assertThat(explanation(event))
                .endsWith(
                        " It is the 2nd OOM kill of this workload on this node in 3 h, each at its limit of 256.0 MiB.");
        assertThat(recommendations(event)).noneMatch(advice -> advice.contains("2 in 3 h"));
    }

    @Test
    void sameLimitAgainAndAgainSaysNotHowMuchIsEnough() {
        OomKillEvent.Builder event =
                killed(new long[] {0, 300, 4000, 7200}, (i, oom) -> oom.setOwnLimitBytes(256 * MIB));
        assertThat(explanation(event))
                .endsWith(
                        " It is the 4th OOM kill of this workload on this node in 2 h, each at its limit of 256.0 MiB.");
        assertThat(recommendations(event))
                .contains(
                        "Raise the limit in a large step and watch its peak, since no kill shows how much more it needs: 4 in "
                                + "2 h, the last at 256.0 MiB");
    }

    @Test
    void sameLimitThatIsFullAfterTheSameTimeLooksLikeALeak() {
        OomKillEvent.Builder event =
                killed(new long[] {0, 2400, 4900, 7200}, (i, oom) -> oom.setOwnLimitBytes(256 * MIB));
        assertThat(recommendations(event))
                .contains(
                        "Look for a leak or a task that comes back (a guess), since the limit is full after the same time "
                                + "again: 4 in 2 h, about every 40 min");
    }

    @Test
    void limitThatWasRaisedInVainIsSaid() {
        OomKillEvent.Builder event =
                killed(new long[] {0, 600, 7200}, (i, oom) -> oom.setOwnLimitBytes((i < 2 ? 256 : 512) * MIB));
        assertThat(explanation(event)).endsWith(" in 2 h, though its limit was raised from 256.0 MiB to 512.0 MiB.");
        assertThat(recommendations(event))
                .contains(
                        "Look for a leak before you raise the limit again (a guess), since it filled a larger one, too: 3 in "
                                + "2 h, at 256.0 MiB and at 512.0 MiB");
    }

    @Test
    void flatUseBelowNoLimitOfItsOwnShowsWhatIsEnough() {
        OomKillEvent.Builder event =
                killed(new long[] {0, 600, 7200}, (i, oom) -> oom.setUncappedPeakBytes((300 + i) * MIB));
        assertThat(explanation(event)).endsWith(" in 2 h, each holding about 200.0 MiB.");
        assertThat(recommendations(event))
                .contains(
                        "Request as much as its peak, and set a limit somewhat above, which it would never have reached: 3 in "
                                + "2 h, none at a limit of its own, its cgroup's peak was at most 302.0 MiB each time");
    }

    @Test
    void peaksThatDifferShowNothing() {
        OomKillEvent.Builder event =
                killed(new long[] {0, 600, 7200}, (i, oom) -> oom.setUncappedPeakBytes((300 + 100 * i) * MIB));
        assertThat(recommendations(event)).noneMatch(advice -> advice.contains("peak"));
        OomKillEvent.Builder oneWithout = killed(new long[] {0, 600, 7200}, (i, oom) -> {
            if (i > 0) {
                oom.setUncappedPeakBytes(300 * MIB);
            }
        });
        assertThat(recommendations(oneWithout)).noneMatch(advice -> advice.contains("peak"));
    }

    @Test
    void growingUseIsSaid() {
        OomKillEvent.Builder event =
                killed(new long[] {0, 600, 7200}, (i, oom) -> oom.setAnonRssBytes((200 + 100 * i) * MIB));
        assertThat(explanation(event)).endsWith(" in 2 h, growing from 200.0 MiB to 400.0 MiB.");
    }

    @Test
    void differentProcessesAreNotCompared() {
        assertThat(explanation(killed(new long[] {0, 600, 7200}, (i, oom) -> oom.setComm("worker-" + i))))
                .endsWith(" It is the 3rd OOM kill of this workload on this node in 2 h.");
    }

    @ParameterizedTest
    @CsvSource({"45, 45 s", "0, 1 s", "2400, 40 min", "7200, 2 h", "300000, 3 d"})
    void timeIsToldAsAPersonDoes(long seconds, String words) {
        assertThat(explanation(killed(new long[] {0, seconds}, (i, oom) -> {}))).contains(" on this node in " + words);
    }

    @ParameterizedTest
    @CsvSource({"11, 11th", "12, 12th", "13, 13th", "21, 21st", "22, 22nd", "103, 103rd", "112, 112th"})
    void numberIsToldAsAPersonDoes(int ooms, String words) {
        OomKillEvent.Builder event = killed(new long[] {0, 60}, (i, oom) -> {});
        event.getWorkloadHistoryBuilder().setOoms(ooms);
        assertThat(explanation(event)).contains("It is the " + words + " OOM kill");
    }

    private static OomKillEvent.Builder killed(long[] seconds, BiConsumer<Integer, WorkloadOom.Builder> each) {
        OomKillEvent.Builder event = memcg();
        event.getWorkloadHistoryBuilder().setWorkload("shop/cart/app").setOoms(seconds.length);
        for (int i = 0; i < seconds.length; i++) {
            WorkloadOom.Builder oom = WorkloadOom.newBuilder().setComm("mysqld").setAnonRssBytes(200 * MIB);
            oom.getTimeBuilder().setSeconds(1_700_000_000 + seconds[i]);
            each.accept(i, oom);
            event.getWorkloadHistoryBuilder().addRecent(oom);
        }
        event.getWorkloadHistoryBuilder()
                .setFirstTime(event.getWorkloadHistory().getRecent(0).getTime());
        return event;
    }
}
