package dev.exit137.oomreport.explain;

import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.WorkloadHistory;
import dev.exit137.proto.v1.WorkloadOom;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * Rules for a workload that is killed again. A process that is killed at its own limit shows only that the limit was
 * too low. The sufficient size follows only from peaks that no limit of its own capped.
 */
final class HistoryRules {
    private static final int ENOUGH_TO_COMPARE = 3;
    private static final long LEAST_INTERVAL_SECONDS = 10;

    private HistoryRules() {}

    /** {@code It is the 4th OOM kill of this workload on this node in 2 h, each at its limit of 256.0 MiB.} */
    static String times(Oom oom) {
        WorkloadHistory history = oom.event().getWorkloadHistory();
        if (history.getOoms() < 2 || history.getRecentCount() == 0) {
            return "";
        }
        return "It is the " + ordinal(history.getOoms()) + " OOM kill of this workload on this node in " + span(history)
                + how(history.getRecentList()) + ".";
    }

    private static String how(List<WorkloadOom> recent) {
        if (recent.stream().allMatch(WorkloadOom::hasOwnLimitBytes)) {
            long first = recent.getFirst().getOwnLimitBytes();
            long last = recent.getLast().getOwnLimitBytes();
            if (recent.stream().allMatch(oom -> oom.getOwnLimitBytes() == last)) {
                return ", each at its limit of " + Sizes.text(last);
            }
            return first < last
                    ? ", though its limit was raised from " + Sizes.text(first) + " to " + Sizes.text(last)
                    : "";
        }
        boolean alike = recent.stream()
                .allMatch(oom -> oom.hasAnonRssBytes()
                        && oom.getComm().equals(recent.getLast().getComm()));
        if (!alike) {
            return "";
        }
        long[] held = recent.stream().mapToLong(WorkloadOom::getAnonRssBytes).toArray();
        long most = LongStream.of(held).max().orElse(0);
        if (isFlat(held)) {
            return ", each holding about " + Sizes.text(most);
        }
        boolean isGrowing = IntStream.range(1, held.length).allMatch(i -> held[i] >= held[i - 1]);
        return isGrowing ? ", growing from " + Sizes.text(held[0]) + " to " + Sizes.text(most) : "";
    }

    /** The findings from several kills. */
    static List<Finding> repeated(Oom oom) {
        WorkloadHistory history = oom.event().getWorkloadHistory();
        List<WorkloadOom> recent = history.getRecentList();
        if (history.getOoms() < ENOUGH_TO_COMPARE || recent.size() < ENOUGH_TO_COMPARE) {
            return List.of();
        }
        String count = history.getOoms() + " in " + span(history);
        if (recent.stream().allMatch(WorkloadOom::hasOwnLimitBytes)) {
            return atItsLimit(recent, count);
        }
        long[] peaks =
                recent.stream().mapToLong(WorkloadOom::getUncappedPeakBytes).toArray();
        if (recent.stream().allMatch(WorkloadOom::hasUncappedPeakBytes) && isFlat(peaks)) {
            long peak = LongStream.of(peaks).max().orElse(0);
            return List.of(Finding.advice(
                    "Request as much as its peak, and set a limit somewhat above, which it would never have reached",
                    count + ", none at a limit of its own, its cgroup's peak was at most " + Sizes.text(peak)
                            + " each time"));
        }
        return List.of();
    }

    private static List<Finding> atItsLimit(List<WorkloadOom> recent, String count) {
        long first = recent.getFirst().getOwnLimitBytes();
        long last = recent.getLast().getOwnLimitBytes();
        if (first < last) {
            return List.of(Finding.advice(
                    "Look for a leak before you raise the limit again (a guess), since it filled a larger one, too",
                    count + ", at " + Sizes.text(first) + " and at " + Sizes.text(last)));
        }
        long[] intervals = IntStream.range(1, recent.size())
                .mapToLong(
                        i -> seconds(recent.get(i - 1).getTime(), recent.get(i).getTime()))
                .toArray();
        long shortest = LongStream.of(intervals).min().orElse(0);
        long longest = LongStream.of(intervals).max().orElse(0);
        boolean isRegular = shortest >= LEAST_INTERVAL_SECONDS && longest <= shortest + shortest / 4;
        return List.of(
                isRegular
                        ? Finding.advice(
                                "Look for a leak or a task that comes back (a guess), since the limit is full after the same time again",
                                count + ", about every " + duration((shortest + longest) / 2))
                        : Finding.advice(
                                "Raise the limit in a large step and watch its peak, since no kill shows how much more it needs",
                                count + ", the last at " + Sizes.text(last)));
    }

    /** Whether all are within a tenth of the largest. */
    private static boolean isFlat(long[] bytes) {
        long most = LongStream.of(bytes).max().orElse(0);
        return LongStream.of(bytes).min().orElse(0) >= most - most / 10;
    }

    private static String span(WorkloadHistory history) {
        return duration(seconds(
                history.getFirstTime(), history.getRecentList().getLast().getTime()));
    }

    private static long seconds(Timestamp from, Timestamp to) {
        return Math.max(0, to.getSeconds() - from.getSeconds());
    }

    /** {@code 45 s}, {@code 40 min}, {@code 2 h}, {@code 3 d}. */
    private static String duration(long seconds) {
        if (seconds < 100) {
            return Math.max(1, seconds) + " s";
        }
        if (seconds < 100 * 60) {
            return Math.round(seconds / 60.0) + " min";
        }
        return seconds < 48 * 3600 ? Math.round(seconds / 3600.0) + " h" : Math.round(seconds / 86400.0) + " d";
    }

    private static String ordinal(int number) {
        int ofHundred = number % 100;
        if (ofHundred >= 11 && ofHundred <= 13) {
            return number + "th";
        }
        return number
                + switch (number % 10) {
                    case 1 -> "st";
                    case 2 -> "nd";
                    case 3 -> "rd";
                    default -> "th";
                };
    }
}
