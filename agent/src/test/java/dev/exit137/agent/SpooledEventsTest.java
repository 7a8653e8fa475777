package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.state.v1.Checkpoint;
import dev.exit137.proto.v1.AgentStatus;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.PublishEventsRequest;
import dev.exit137.proto.v1.SourceStatus;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** Events on the disk of the node: from an older version, damaged, refused, and without room. */
class SpooledEventsTest extends AgentBed {
    private final List<OomKillEvent> others = new ArrayList<>();

    @Test
    void eventsInACheckpointOfTheVersionBeforeAreSentOnceWhateverCrashes() throws Exception {
        List<OomKillEvent> old = List.of(oldEvent("boot-0/kmsg/7"), oldEvent("boot-0/kmsg/9"));
        Checkpoint.Builder checkpoint = Checkpoint.newBuilder().setBootId(FakeHost.FIRST_BOOT);
        old.forEach(event -> checkpoint.addUnacknowledged(event.toByteString()));
        Files.createDirectories(stateDir);
        Files.write(stateDir.resolve("checkpoint"), checkpoint.build().toByteArray());

        start();
        assertThat(aggregator.nextStream().nextEvents(2)).isEqualTo(old);
        awaitCheckpoint("without them", c -> c.getUnacknowledgedCount() == 0 && c.getSpoolCount() > 0);
        crash();
        start();
        AgentStream stream = aggregator.nextStream();
        assertThat(stream.nextEvents(2)).isEqualTo(old);
        stream.acknowledge(old);
        settled(stream, others::add);
        assertThat(others).isEmpty();
    }

    private static OomKillEvent oldEvent(String id) {
        return OomKillEvent.newBuilder()
                .setEventId(id)
                .setRevision(1)
                .setNode(Node.newBuilder().setName("node-1"))
                .build();
    }

    @Test
    void aDamagedEventIsCountedAndTheOthersAreSent() throws Exception {
        start();
        AgentStream stream = aggregator.nextStream();
        for (int pid = 11; pid <= 13; pid++) {
            host.kill("/a", pid);
        }
        List<OomKillEvent> events = stream.nextEvents(3);
        awaitCheckpointOfAll(3);
        crash();
        Path segment = segments().getFirst();
        byte[] bytes = Files.readAllBytes(segment);
        bytes[bytes.length / 2] ^= 1;
        Files.write(segment, bytes);

        start();
        AgentStream second = aggregator.nextStream();
        List<OomKillEvent> whole = second.nextEvents(2);
        assertThat(whole).isEqualTo(List.of(events.get(0), events.get(2)));
        second.acknowledge(whole);
        AgentStatus status = settled(second, others::add);
        assertThat(others).isEmpty();
        assertThat(status.getLosses().getSpoolEventsDamaged()).isEqualTo(1);
        awaitCheckpoint("with that loss", c -> c.getLosses().getSpoolEventsDamaged() == 1);
    }

    private List<Path> segments() throws IOException {
        try (Stream<Path> files = Files.list(stateDir.resolve("spool"))) {
            return files.toList();
        }
    }

    @Test
    void anEventThatTheAggregatorRefusesDoesNotBlockTheOthersAndIsKeptAside() throws Exception {
        start();
        AgentStream stream = aggregator.nextStream();
        for (int pid = 11; pid <= 14; pid++) {
            host.kill("/a", pid);
        }
        List<Integer> taken = new ArrayList<>();
        OomKillEvent bad = null;
        long refused = 0;
        while (taken.size() < 3 || refused == 0) {
            PublishEventsRequest message = stream.next();
            if (message.hasStatus()) {
                refused = message.getStatus().getLosses().getEventsRefused();
            } else if (message.getEvent().getVictim().getPid() == 12) {
                bad = message.getEvent();
                stream.breakOff(Status.INVALID_ARGUMENT.withDescription("event.node: not this one"));
                stream = aggregator.nextStream();
            } else {
                stream.acknowledge(message.getEvent());
                taken.add(message.getEvent().getVictim().getPid());
            }
        }
        assertThat(taken).contains(11, 13, 14);
        settled(stream, others::add);
        assertThat(others).isEmpty();
        assertThat(refused).isEqualTo(1);
        assertThat(Files.readString(stateDir.resolve("refused.jsonl"))).contains(bad.getEventId());
    }

    @Test
    void whatOnlyMemoryHeldIsReadAgainFromTheRingAfterACrash() throws Exception {
        breakTheSpool();
        start();
        AgentStream stream = aggregator.nextStream();
        host.kill("/a", 11);
        OomKillEvent event = stream.nextEvents(1).getFirst();
        settled(stream, others::add);
        crash();
        host.kmsg.replay();
        start();
        assertThat(aggregator.nextStream().nextEvents(1).getFirst().getEventId())
                .isEqualTo(event.getEventId());
    }

    @Test
    void withoutRoomOnTheDiskTheAgentGoesOnAndSaysSo() throws Exception {
        host.pressure("/a", ("x".repeat(59) + "\n").repeat(1000));
        mountStateDir("size=1m");
        try {
            start();
            AgentStream stream = aggregator.nextStream();
            for (int pid = 1; pid <= 40; pid++) {
                host.kill("/a", pid);
            }
            List<OomKillEvent> events = new ArrayList<>();
            stream.nextStatus(
                    status -> spool(status).getState() == SourceStatus.State.UNAVAILABLE
                            && spool(status).getDetail().contains("No space left"),
                    events::add);
            while (events.size() < 40) {
                events.add(stream.nextEvents(1).getFirst());
            }
            assertThat(events).extracting(event -> event.getVictim().getPid()).doesNotHaveDuplicates();
            awaitSpool("unavailable");
            stream.acknowledge(events);
            awaitSpool("ok");
            assertThat(spool(settled(stream, others::add)).getState()).isEqualTo(SourceStatus.State.ACTIVE);
            assertThat(others).isEmpty();
            stop();
        } finally {
            run("umount", "-l", stateDir.toString());
        }
    }

    @Test
    void onADiskThatHasBecomeReadOnlyTheNextAgentSendsWhatIsThereAndWhatComes() throws Exception {
        mountStateDir("size=8m");
        try {
            start();
            aggregator.goAway();
            host.kill("/a", 11);
            awaitCheckpointOfAll(1);
            stop();
            assertThat(run("mount", "-o", "remount,ro", stateDir.toString())).isZero();
            aggregator.comeBack();
            start();
            AgentStream stream = aggregator.nextStream();
            host.kill("/a", 12);
            while (others.size() < 2) {
                others.add(stream.nextEvents(1).getFirst());
            }
            assertThat(others).extracting(event -> event.getVictim().getPid()).containsExactly(11, 12);
            stream.nextStatus(
                    each -> spool(each).getState() == SourceStatus.State.UNAVAILABLE
                            && spool(each).getDetail().contains("Read-only"),
                    others::add);
            stop();
        } finally {
            run("umount", "-l", stateDir.toString());
        }
    }

    private static SourceStatus spool(AgentStatus status) {
        return status.getSourcesList().stream()
                .filter(source -> source.getName().equals("spool"))
                .findFirst()
                .orElseThrow();
    }

    /** Sooner than by a status on the stream, of which one comes every ten seconds where nothing else does. */
    private void awaitSpool(String how) {
        Await.until(
                "the spool is " + how,
                () -> observed().ready(),
                checks -> checks.stream()
                        .anyMatch(check ->
                                check.name().equals("spool") && check.detail().startsWith(how)));
    }

    private void mountStateDir(String options) throws Exception {
        Files.createDirectories(stateDir);
        if (run("mount", "-t", "tmpfs", "-o", options, "tmpfs", stateDir.toString()) != 0) {
            System.out.println("SKIPPED an agent on a full disk: no tmpfs can be mounted here (not root?)");
            Assumptions.abort("no tmpfs can be mounted");
        }
    }

    private static int run(String... command) throws IOException, InterruptedException {
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start()
                .waitFor();
    }
}
