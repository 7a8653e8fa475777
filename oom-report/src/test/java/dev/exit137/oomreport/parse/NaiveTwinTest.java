package dev.exit137.oomreport.parse;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.oomreport.parse.OomLine.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The parser over bytes and the one over strings must say the same of every line. */
@Tag("soak")
class NaiveTwinTest {
    private static final long SEED = 137;
    private static final int SHARES = 8;
    private static final int SOAK_TIMES = Integer.getInteger("soak.times", 0);
    private static final int LINES_PER_SHARE = SOAK_TIMES == 0 ? 50_000 : 500_000;

    /** What lines are made of, so that a random change often makes another line. */
    private static final List<String> PIECES = List.of(
            " ",
            ",",
            "=",
            "(",
            ")",
            "/",
            ":",
            "0",
            "7",
            "kB",
            "\\x0a",
            "\\x",
            "\\xff",
            "\n",
            "\0",
            "\u00e9",
            " invoked oom-killer",
            ": gfp_mask=",
            ", nodemask=",
            ", order=",
            ", oom_score_adj=",
            ", oom_adj=",
            ", oomkilladj=",
            " cpuset=",
            " mems_allowed=",
            "Pid: ",
            ", comm: ",
            "Task in /a",
            " killed as a result of limit of /a",
            "Memory limit reached of cgroup ",
            "Memory cgroup stats for ",
            ": cache:",
            "memory: usage ",
            "kmem: usage ",
            ", limit ",
            ", failcnt ",
            ": Kill process ",
            ": kill process ",
            ") score ",
            " or sacrifice child",
            "OOM victim ",
            ") is already exiting",
            "out of memory",
            "No available memory in cpuset",
            " and no killable processes",
            "panic_on_oom",
            "ompulsory ",
            "Kernel panic - not syncing: ",
            " vsz:",
            ", UID 5",
            ".",
            "\t",
            "CPU: ",
            " PID: ",
            " Comm: ",
            " Not tainted ",
            " Kdump: loaded",
            ",nodemask=",
            "(null)",
            ",cpuset=",
            ",mems_allowed=",
            ",global_oom",
            ",oom_memcg=",
            ",task_memcg=/a",
            ",task=",
            ",pid=",
            ",uid=",
            "a,task=b",
            ": Killed process ",
            "Killed process ",
            ") total-vm:",
            ", UID 5,",
            ", UID:",
            ", anon-rss:",
            "), now anon-rss:",
            "Out of memory",
            "Memory cgroup out of memory");

    @Test
    void agreesOnEveryRecordThatAKernelGave() {
        Records.fixtures().forEach(new Twins()::compare);
    }

    @Test
    void agreesOnEveryPublishedLine() {
        Twins twins = new Twins();
        for (var log : Corpus.logs()) {
            Corpus.messages(log).forEach(message -> twins.compare(Records.of(message)));
        }
    }

    /** One short campaign; {@code soak.times} long ones. */
    static LongStream seeds() {
        return LongStream.range(0, Math.max(1, SOAK_TIMES)).map(time -> SEED + time * SHARES);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void agreesOnLinesThatWereDamagedAtRandom(long seed) {
        List<String> lines = new ArrayList<>(Forms.LINES);
        Records.fixtures().stream()
                .map(Records::message)
                .filter(message -> Fields.parse(message).get("kind") != Kind.NONE)
                .forEach(lines::add);
        IntStream.range(0, SHARES)
                .parallel()
                .forEach(share -> damageAndCompare(lines, new SplittableRandom(seed + share)));
    }

    private static void damageAndCompare(List<String> lines, SplittableRandom random) {
        Twins twins = new Twins();
        for (int i = 0; i < LINES_PER_SHARE; i++) {
            String damaged = lines.get(random.nextInt(lines.size()));
            for (int changes = random.nextInt(1, 4); changes > 0; changes--) {
                damaged = damage(damaged, lines.get(random.nextInt(lines.size())), random);
            }
            if (NaiveOomLineParser.knowsTheNumbersOf(damaged)) {
                twins.compare(Records.of(damaged));
            }
        }
    }

    private static final class Twins {
        private final KmsgRecordFlyweight view = new KmsgRecordFlyweight();
        private final OomLineParser parser = new OomLineParser();
        private final OomLine line = new OomLine();

        void compare(byte[] record) {
            parser.parse(view.wrap(record, 0, record.length), line);
            var naive = NaiveOomLineParser.parse(record);
            if (!Fields.of(line).equals(naive)) {
                assertThat(Fields.of(line)).as(new String(record)).isEqualTo(naive);
            }
        }
    }

    private static String damage(String text, String other, SplittableRandom random) {
        int from = random.nextInt(text.length() + 1);
        int to = Math.min(text.length(), from + random.nextInt(12));
        return switch (random.nextInt(6)) {
            case 0 -> text.substring(0, from);
            case 1 -> text.substring(0, from) + text.substring(to);
            case 2 -> text.substring(0, from) + PIECES.get(random.nextInt(PIECES.size())) + text.substring(from);
            case 3 -> text.substring(0, from) + PIECES.get(random.nextInt(PIECES.size())) + text.substring(to);
            case 4 -> text.substring(0, to) + text.substring(from);
            default -> text.substring(0, from) + other.substring(random.nextInt(other.length() + 1));
        };
    }
}
