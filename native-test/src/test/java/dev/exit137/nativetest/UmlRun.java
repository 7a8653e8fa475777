package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.KillBalance;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.NodeState;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * The results of one boot.
 *
 * @param directory with the files
 * @param truth the scenarios' own account
 * @param kernelLog the messages of the kernel
 * @param events those that the consumer of the stream received
 */
record UmlRun(Path directory, Truth truth, KernelLog kernelLog, Events events) {
    static UmlRun read(Path directory) {
        return new UmlRun(
                directory,
                Truth.read(directory.resolve("truth.jsonl")),
                KernelLog.read(directory.resolve("kmsg.log")),
                Events.parse(Bed.lines(directory.resolve("events.jsonl"))));
    }

    /** Returns the agent's status when it had come to rest after the scenario. */
    NodeState nodeAfter(String scenario) {
        List<String> lines = Bed.lines(directory.resolve("nodes-" + scenario + ".json"));
        assertThat(lines).as("agents known after " + scenario).hasSize(1);
        return Events.parseNode(lines.getFirst());
    }

    /** Returns the sequence number of the oldest record in the ring after the scenario. */
    long oldestSequenceAfter(String scenario) {
        return KernelLog.read(directory.resolve("oldest-after-" + scenario)).firstSequence();
    }

    /** Returns the output of {@code list} at the end. */
    Events list() {
        return Events.parse(Bed.lines(directory.resolve("list.jsonl")));
    }

    /** Returns the processes of the scenario that the kernel's log names as killed, each once. */
    List<Truth.Process> victims(String scenario) {
        Set<Integer> killed = new HashSet<>(kernelLog.during(scenario).killedPids());
        return truth.of(scenario).stream()
                .filter(process -> killed.contains(process.pid()))
                .toList();
    }

    /** Returns the one event of the scenario's one victim. */
    OomKillEvent onlyEvent(String scenario) {
        assertThat(victims(scenario)).as("victims of " + scenario).hasSize(1);
        return eventOf(victims(scenario).getFirst());
    }

    /** Returns the one event of a victim. */
    OomKillEvent eventOf(Truth.Process victim) {
        List<OomKillEvent> found = events.ofVictim(victim.pid());
        assertThat(found).as("events of the victim " + victim).hasSize(1);
        return found.getFirst();
    }

    /**
     * Truth, kernel and consumer agree about the scenario: the processes that had to die are those that the kernel names,
     * each came as exactly one event with its own comm, and the counter moved by the same number.
     */
    void assertEveryKillCameOnce(String scenario) {
        List<Integer> records = kernelLog.during(scenario).killedPids();
        Set<Integer> distinct = new HashSet<>(records);
        List<Truth.Process> processes = truth.of(scenario);
        List<Integer> certain = pids(processes, Truth.OOM);
        int oneOfSeveral = pids(processes, Truth.OOM_ONE_OF).isEmpty() ? 0 : 1;
        assertThat(distinct)
                .as("victims in the kernel's log")
                .containsAll(certain)
                .hasSize(certain.size() + oneOfSeveral);
        assertThat(truth.endOf(scenario).vmstatGrowth())
                .as("growth of vmstat's oom_kill")
                .isEqualTo(records.size());
        for (Truth.Process victim : victims(scenario)) {
            OomKillEvent event = eventOf(victim);
            assertThat(event.getVictim().getComm()).as("comm of " + victim).isEqualTo(victim.comm());
            assertThat(event.getOutcome()).isEqualTo(OomKillEvent.Outcome.KILLED);
            assertThat(event.getNode().getName()).isEqualTo("uml");
        }
        for (Truth.Process process : processes) {
            if (!distinct.contains(process.pid())) {
                assertThat(events.ofVictim(process.pid()))
                        .as("events of " + process)
                        .isEmpty();
            }
        }
        assertBalanceHoldsAfter(scenario);
    }

    private static List<Integer> pids(List<Truth.Process> processes, String death) {
        return processes.stream()
                .filter(process -> process.death().equals(death))
                .map(Truth.Process::pid)
                .toList();
    }

    /** The agent accounts for every count of the kernel, and the aggregator has all of its events. */
    void assertBalanceHoldsAfter(String scenario) {
        NodeState node = nodeAfter(scenario);
        KillBalance balance = node.getStatus().getBalance();
        assertThat(balance.getVmstatOomKill())
                .as("oom_kill that the agent saw")
                .isEqualTo(truth.endOf(scenario).vmstatOomKill());
        assertThat(balance.getUnaccounted())
                .as("unaccounted kills in " + balance)
                .isZero();
        assertThat(balance.getBeforeFirstRecord() + balance.getKills() + balance.getRepeatedKillRecords())
                .as("what the agent accounts for in " + balance)
                .isEqualTo(balance.getVmstatOomKill());
        assertThat(node.getStatus().getUnacknowledgedEvents())
                .as("events that the aggregator lacks")
                .isZero();
    }

    /** No event of the scenario has a wrong cgroup; an empty one is allowed if several or none fit. */
    void assertNoWrongCgroup(String scenario) {
        for (Truth.Process victim : victims(scenario)) {
            OomKillEvent event = eventOf(victim);
            assertThat(event.getCgroupPath()).as("cgroup of " + victim).isIn("", victim.cgroup());
            if (event.getCandidatesCount() > 0 && event.getCandidatesOmitted() == 0) {
                assertThat(event.getCandidatesList())
                        .as("candidates of " + victim)
                        .contains(victim.cgroup());
            }
        }
    }

    /**
     * The owner of the limit is right for each victim with a known cgroup, with a summary and without, and the counter of
     * OOMs agrees.
     *
     * @param limited returns the cgroup of the limit that was hit, for the victim's cgroup
     */
    void assertRightLimits(String scenario, Limit.Owner owner, UnaryOperator<String> limited) {
        for (Truth.Process victim : victims(scenario)) {
            OomKillEvent event = eventOf(victim);
            Limit limit = event.getIncident().getLimit();
            assertThat(event.getScope()).as("scope of " + victim).isEqualTo(OomKillEvent.Scope.MEMCG);
            assertThat(limit.getContradictedByList())
                    .as("disagreement about " + victim)
                    .isEmpty();
            if (!event.getCgroupPath().isEmpty()) {
                assertThat(limit.getCgroup())
                        .as("whose limit killed " + victim)
                        .isEqualTo(limited.apply(victim.cgroup()));
                assertThat(limit.getOwner()).isEqualTo(owner);
                assertThat(limit.getLimitBytes()).isPositive();
                assertThat(event.getEvidenceList()).as("evidence of " + event).contains(Evidence.MEMORY_EVENTS_OOM);
            }
        }
    }

    void assertRightCgroups(String scenario) {
        for (Truth.Process victim : victims(scenario)) {
            assertThat(eventOf(victim).getCgroupPath())
                    .as("cgroup of " + victim)
                    .isEqualTo(victim.cgroup());
        }
    }
}
