package dev.exit137.oomreport.dump;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Task;
import dev.exit137.proto.v1.Victim;
import java.util.List;
import org.junit.jupiter.api.Test;

class TaskTableTest {
    private static final String HEADER_4_19 =
            "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name";

    @Test
    void everyVersionsColumnsAreReadByTheirNames() {
        assertThat(only(
                        "[ pid ]   uid  tgid total_vm      rss cpu oom_adj name",
                        "[  478]     0   478     2719        1   6     -17 udevd"))
                .isEqualTo(task(478, "udevd", 0, 2719, 1).build());
        assertThat(only(
                        "[ pid ]   uid  tgid total_vm      rss cpu oom_adj oom_score_adj name",
                        "[  478]     0   478     2719        1   6     -17         -1000 udevd"))
                .isEqualTo(task(478, "udevd", 0, 2719, 1).setOomScoreAdj(-1000).build());
        assertThat(only(
                        "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name",
                        "[  466]   989   466     8745        1      19       77             0 systemd-journal"))
                .isEqualTo(task(466, "systemd-journal", 989, 8745, 1)
                        .setPgtablesBytes(19 * 4096)
                        .setSwapBytes(77 * 4096)
                        .setOomScoreAdj(0)
                        .build());
        assertThat(only(
                        "[ pid ]   uid  tgid total_vm      rss nr_ptes nr_pmds swapents oom_score_adj name",
                        "[  442]     0   442    15414      276      31       3       89             0 systemd-journal"))
                .isEqualTo(task(442, "systemd-journal", 0, 15414, 276)
                        .setPgtablesBytes(34 * 4096)
                        .setSwapBytes(89 * 4096)
                        .setOomScoreAdj(0)
                        .build());
        assertThat(only(HEADER_4_19, "[2276312] 65535 2276312      242        1    28672        0          -998 pause"))
                .isEqualTo(task(2276312, "pause", 65535, 242, 1)
                        .setPgtablesBytes(28672)
                        .setSwapBytes(0)
                        .setOomScoreAdj(-998)
                        .build());
        assertThat(
                        only(
                                "[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj"
                                        + " name",
                                "[    559]     0   559    17849       94       32       30        32    49152        4             0 smbd"))
                .isEqualTo(task(559, "smbd", 0, 17849, 94)
                        .setRssAnonBytes(32 * 4096)
                        .setRssFileBytes(30 * 4096)
                        .setRssShmemBytes(32 * 4096)
                        .setPgtablesBytes(49152)
                        .setSwapBytes(4 * 4096)
                        .setOomScoreAdj(0)
                        .build());
    }

    @Test
    void aColumnThatNoKernelOfKernelOrgHasIsPassedOver() {
        assertThat(only(
                        "[  pid  ]   uid  tgid total_vm      rss (01)nrss  pgtables_bytes swapents oom_score_adj name",
                        "[  12399]     0 12399  1311306  1311056   262170 10534912        0             0 a.out"))
                .isEqualTo(task(12399, "a.out", 0, 1311306, 1311056)
                        .setPgtablesBytes(10534912)
                        .setSwapBytes(0)
                        .setOomScoreAdj(0)
                        .build());
    }

    @Test
    void aNameMayHoldAnything() {
        for (String name :
                List.of("tmux: client", "runc:[2:INIT]", "(sd-pam)", "1 2 3", "[ 12] 0 12 1 1", " x", "kB")) {
            assertThat(only(
                                    HEADER_4_19,
                                    "[   1876]     0  1876    59513      118   118784      107             0 " + name)
                            .getComm())
                    .isEqualTo(name);
        }
        assertThat(only(
                                HEADER_4_19,
                                "[   1876]     0  1876    59513      118   118784      107             0 a\\x0ab\\xff")
                        .getComm())
                .isEqualTo("a\nb\\xff");
    }

    @Test
    void spacesThatAMailerCollapsedDoNotMatter() {
        assertThat(only(
                                "[ pid ] uid tgid total_vm rss pgtables_bytes swapents oom_score_adj name",
                                "[ 1876] 0 1876 59513 118 118784 107 -5 tmux: client")
                        .getOomScoreAdj())
                .isEqualTo(-5);
    }

    @Test
    void aUserIdBeyondTwoBillionIsPrintedWithAMinus() {
        assertThat(only(HEADER_4_19, "[      7]    -2     7      242        1    28672        0             0 x")
                        .getUid())
                .isEqualTo(-2); // an uint32
    }

    @Test
    void otherDriversLinesBetweenTwoRowsAreNoRows() {
        DumpParser parser = new DumpParser();
        Reports.offer(parser, HEADER_4_19);
        assertThat(Reports.offer(parser, "[ 1234.567890] usb 1-1: new device")).isFalse();
        assertThat(Reports.offer(parser, "[drm] 1 2 3 4 5 6 7 8")).isFalse();
        assertThat(Reports.offer(parser, "[<ffffffff810d05a1>] ? cpuset_print_task_mems_allowed+0x91/0xb0"))
                .isFalse();
        assertThat(Reports.offer(parser, "[ 1234]  eth0: link up")).isFalse();
        assertThat(Reports.offer(parser, "[      7]     0     7      242        1    28672        0             0 x"))
                .isTrue();
        assertThat(Reports.incident(parser, Victim.getDefaultInstance()).getTasksList())
                .hasSize(1);
    }

    @Test
    void aReportThatBeginsWithinTheTableGivesWhatIsCertain() {
        Incident sixColumns = Reports.read("[  478]     0   478     2719        1   6     -17 udevd");
        assertThat(sixColumns.getTasks(0))
                .isEqualTo(task(478, "udevd", 0, 2719, 1).build());
        Incident sevenColumns = Reports.read(
                "[   1876]     0  1876    59513      118   118784      107          -900 7 dwarfs",
                "[   1877]     0  1877    59513      117   118784      107             0 tmux: client");
        assertThat(sevenColumns.getTasks(1))
                .as("swapents or oom_adj: nobody knows")
                .isEqualTo(task(1877, "tmux: client", 0, 59513, 117)
                        .setOomScoreAdj(0)
                        .build());
        Incident tenColumns = Reports.read(
                "[    559]     0   559    17849       94       32       30        32    49152        4             0 smbd");
        assertThat(tenColumns.getTasks(0).getSwapBytes()).isEqualTo(4 * 4096);
        assertThat(tenColumns.getTasks(0).getRssShmemBytes()).isEqualTo(32 * 4096);
    }

    @Test
    void aNameOfDigitsIsNoColumn() {
        Incident incident =
                Reports.read("[   1876]     0  1876    59513      118   118784      107          -900 4711");
        assertThat(incident.getTasks(0))
                .isEqualTo(
                        task(1876, "4711", 0, 59513, 118).setOomScoreAdj(-900).build());
    }

    @Test
    void ofARowThatWasCutTheLastNumberIsNotBelieved() {
        Task cut = only(HEADER_4_19, "[   1876]     0  1876    59513      118   118784      10");
        assertThat(cut)
                .isEqualTo(
                        task(1876, "", 0, 59513, 118).setPgtablesBytes(118784).build());
        assertThat(Reports.read(HEADER_4_19, "[   1876]     0  1876    59513      11")
                        .getTasksList())
                .isEmpty();
        assertThat(Reports.read(HEADER_4_19, "[   1876]     0  1876    595").getTasksList())
                .isEmpty();
        Task withoutName = only(HEADER_4_19, "[   1876]     0  1876    59513      118   118784      107             0");
        assertThat(withoutName.hasOomScoreAdj()).isFalse();
    }

    @Test
    void aHeaderThatAMailerWrappedNamesTheColumnsBeforeTheBreak() {
        Incident incident = Reports.read(
                "[ pid ]   uid  tgid total_vm      rss nr_ptes nr_pmds ",
                "swapents oom_score_adj name",
                "[  442]     0   442    15414      276      31 3       ",
                "89             0 systemd-journal");
        assertThat(incident.getTasks(0))
                .isEqualTo(
                        task(442, "", 0, 15414, 276).setPgtablesBytes(34 * 4096).build());
    }

    @Test
    void numbersBeyondAnyMachineAreAbsent() {
        Task task = only(
                HEADER_4_19,
                "[   1876]     0  1876    99999999999999999999      9223372036854775807   -118784      107          5000 x");
        assertThat(task)
                .isEqualTo(Task.newBuilder()
                        .setPid(1876)
                        .setComm("x")
                        .setUid(0)
                        .setSwapBytes(107 * 4096)
                        .build());
    }

    @Test
    void aTableOfAMillionRowsKeepsTheLargestAndCountsTheRest() {
        DumpParser parser = new DumpParser(4096);
        Reports.offer(parser, HEADER_4_19);
        for (int i = 0; i < 1_000_000; i++) {
            long rss = (i * 7919L) % 1_000_000;
            Reports.offer(
                    parser, "[%7d]     0 %5d    59513 %8d   118784      107             0 x".formatted(i, i, rss));
        }
        Incident incident = Reports.incident(parser, Victim.getDefaultInstance());
        assertThat(incident.getTasksList()).hasSize(100);
        assertThat(incident.getTasks(0).getRssBytes()).isEqualTo(999_999 * 4096L);
        assertThat(incident.getTasks(99).getRssBytes()).isEqualTo(999_900 * 4096L);
        assertThat(incident.getTasksOmitted().getCount()).isEqualTo(999_900);
        assertThat(incident.getTasksOmitted().getRssBytes()).isEqualTo(999_899L * 999_900 / 2 * 4096);
    }

    @Test
    void ofEqualTasksTheOneThatWasPrintedFirstComesFirst() {
        String[] lines = new String[151];
        lines[0] = HEADER_4_19;
        for (int i = 1; i < lines.length; i++) {
            lines[i] = "[%7d]     0 %5d    59513      118   118784      107             0 x".formatted(i, i);
        }
        assertThat(Reports.read(lines).getTasksList())
                .extracting(Task::getPid)
                .startsWith(1, 2, 3)
                .endsWith(100);
    }

    @Test
    void theTableOfAnotherReportIsNotAddedToThisOnes() {
        Incident incident = Reports.read(
                HEADER_4_19,
                "[      7]     0     7      242        1    28672        0             0 x",
                HEADER_4_19,
                "[      8]     0     8      242        1    28672        0             0 y");
        assertThat(incident.getTasksList()).extracting(Task::getComm).containsExactly("x");
    }

    @Test
    void theVictimTellsTheSizeOfAPageWhereNothingElseDoes() {
        String row = "[ 177372]     0 177372      571        3    51200       96             0 test_zswap";
        Victim victim =
                Victim.newBuilder().setPid(177372).setTotalVmBytes(36544 << 10).build();
        Incident known = Reports.read(new DumpParser(), victim, HEADER_4_19, row);
        assertThat(known.getPageSizeBytes()).isEqualTo(64 << 10);
        assertThat(known.getPageSizeAssumed()).isFalse();
        assertThat(known.getTasks(0).getRssBytes()).isEqualTo(3 * (64 << 10));
        Incident ofThisMachine = Reports.read(new DumpParser(16 << 10), Victim.getDefaultInstance(), HEADER_4_19, row);
        assertThat(ofThisMachine.getTasks(0).getRssBytes()).isEqualTo(3 * (16 << 10));
        assertThat(ofThisMachine.getPageSizeAssumed()).isFalse();
        Incident assumed = Reports.read(HEADER_4_19, row);
        assertThat(assumed.getPageSizeBytes()).isEqualTo(4096);
        assertThat(assumed.getPageSizeAssumed()).isTrue();
    }

    @Test
    void pageTablesThatAreNoPagesAreNotCountedAsSuch() {
        Incident incident = Reports.read(
                new DumpParser(64 << 10),
                Victim.getDefaultInstance(),
                "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name",
                "[  466]     0   466     8745        1      19       77             0 systemd-journal");
        assertThat(incident.getTasks(0).hasPgtablesBytes()).isFalse();
    }

    private static Task only(String... lines) {
        Incident incident = Reports.read(lines);
        assertThat(incident.getTasksList()).hasSize(1);
        assertThat(incident.hasTasksOmitted()).isFalse();
        return incident.getTasks(0);
    }

    private static Task.Builder task(int pid, String comm, int uid, long totalVmPages, long rssPages) {
        return Task.newBuilder()
                .setPid(pid)
                .setComm(comm)
                .setUid(uid)
                .setTotalVmBytes(totalVmPages * 4096)
                .setRssBytes(rssPages * 4096);
    }
}
