package dev.exit137.agent.delivery;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.Await;
import dev.exit137.agent.PidNamespace;
import dev.exit137.agent.container.FakeCri;
import dev.exit137.agent.container.Identities;
import dev.exit137.agent.container.LabelFilter;
import dev.exit137.agent.container.RuntimeSockets;
import dev.exit137.agent.delivery.spool.Spool;
import dev.exit137.agent.metrics.KillMetrics;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.daemon.guard.GuardedThread;
import dev.exit137.proto.cri.v1.ContainerState;
import dev.exit137.proto.v1.Losses;
import dev.exit137.proto.v1.OomKillEvent;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An event whose naming fails goes out without a name. */
class NameWaitTest {
    private static final String ID = "4f0c".repeat(16);
    private static final String POD = "beef".repeat(16);
    private static final OomKillEvent KILL = OomKillEvent.newBuilder()
            .setEventId("kill")
            .setRevision(1)
            .setCgroupPath("/kubepods/burstable/pod0f6f9a2c-1111-2222-3333-444455556666/" + ID)
            .build();

    @TempDir
    Path directory;

    private final Guard guard = new Guard();
    private final GuardedThread worker = new GuardedThread(Thread.ofPlatform().factory(), "worker", guard);
    private FakeCri cri;
    private Identities identities;
    private Spool spool;
    private Outbox outbox;

    @BeforeEach
    void make() {
        PidNamespace.MACHINE.of(directory);
        cri = new FakeCri(directory.resolve("cri.sock"));
        cri.sandbox(POD, "cart-0", Map.of());
        cri.container(ID, POD, "web", 0, ContainerState.CONTAINER_EXITED, 0);
        identities = new Identities(
                new RuntimeSockets(List.of(directory.resolve("cri.sock")), List.of()),
                LabelFilter.DEFAULT,
                directory,
                InstantSource.system(),
                guard);
        spool = new Spool(directory.resolve("spool"), Spool.MIN_BYTES);
        outbox = new Outbox(spool, List.of(), Losses.getDefaultInstance(), guard);
    }

    @AfterEach
    void end() throws Exception {
        worker.shutdown();
        assertThat(worker.awaitTermination(Await.PATIENCE.toSeconds(), TimeUnit.SECONDS))
                .isTrue();
        identities.close();
        cri.close();
        spool.close();
    }

    /** A mapper without workloads and runtimes names nothing. */
    private NameWait names(Identities identities, Duration patience) {
        OomEventMapper mapper = new OomEventMapper(null, null, null, null, null, guard);
        return new NameWait(identities, mapper, patience, outbox, new KillMetrics(1), worker, () -> {}, _ -> {}, guard);
    }

    private void onWorker(Runnable task) throws Exception {
        worker.submit(task).get(Await.PATIENCE.toSeconds(), TimeUnit.SECONDS);
    }

    private List<OomKillEvent> unsent() throws Exception {
        List<OomKillEvent> events = new ArrayList<>();
        onWorker(() -> {
            outbox.flush();
            for (KeptEvent next = outbox.pollUnsent(); next != null; next = outbox.pollUnsent()) {
                events.add(OomKillEvent.newBuilder()
                        .setEventId(next.id())
                        .setRevision(next.key.revision())
                        .build());
            }
        });
        return events;
    }

    private static OomKillEvent key(int revision) {
        return OomKillEvent.newBuilder()
                .setEventId("kill")
                .setRevision(revision)
                .build();
    }

    @Test
    void whereNobodyCanBeAskedTheEventGoesOutAtOnceAndSoDoesItsBetterRevision() throws Exception {
        NameWait names = names(null, Duration.ofHours(1));
        onWorker(() -> names.take(KILL));
        assertThat(unsent()).containsExactly(key(1));
        onWorker(() -> names.take(KILL.toBuilder().setRevision(2).build()));
        assertThat(unsent()).containsExactly(key(2));
        assertThat(guard.counts()).containsEntry("naming", 2L);
    }

    @Test
    void whereTheContainerIsKnownTheEventGoesOutAtOnce() throws Exception {
        cri.start();
        identities.start();
        Await.until("the container", () -> identities.find(ID), found -> found.isPresent());
        NameWait names = names(identities, Duration.ofHours(1));
        onWorker(() -> names.take(KILL));
        assertThat(unsent()).containsExactly(key(1));
        assertThat(guard.counts()).containsEntry("naming", 1L);
    }

    @Test
    void whereTheAnswerComesLaterTheEventGoesOutThen() throws Exception {
        NameWait names = names(identities, Duration.ofHours(1));
        onWorker(() -> names.take(KILL));
        assertThat(unsent()).as("it waits").isEmpty();
        cri.start();
        identities.start();
        Await.until("the failure", guard::counts, counts -> counts.containsKey("naming"));
        assertThat(unsent()).containsExactly(key(1));
    }
}
