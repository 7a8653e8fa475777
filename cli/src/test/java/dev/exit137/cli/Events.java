package dev.exit137.cli;

import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.Pod;
import dev.exit137.proto.v1.Victim;
import java.time.Instant;

/** Events for tests. */
public final class Events {
    /** Of all of them. */
    public static final Instant INSTANT = Instant.parse("2026-05-01T12:30:00.125Z");

    /** The same. */
    public static final Timestamp TIME = Timestamp.newBuilder()
            .setSeconds(INSTANT.getEpochSecond())
            .setNanos(INSTANT.getNano())
            .build();

    private Events() {}

    /** A process in a plain cgroup, killed at that cgroup's limit. */
    public static OomKillEvent.Builder inCgroup(int pid) {
        return OomKillEvent.newBuilder()
                .setEventId("boot/kmsg/" + pid)
                .setRevision(1)
                .setTime(TIME)
                .setObservedTime(TIME)
                .setNode(Node.newBuilder().setName("node-1").setKernelRelease("6.1.0"))
                .setScope(OomKillEvent.Scope.MEMCG)
                .setOutcome(OomKillEvent.Outcome.KILLED)
                .setVictim(Victim.newBuilder()
                        .setPid(pid)
                        .setComm("tail")
                        .setAnonRssBytes(32_000L << 10)
                        .setFileRssBytes(128 << 10)
                        .setShmemRssBytes(0))
                .setIncident(Incident.newBuilder()
                        .setId("boot/incident/1")
                        .setKillsSoFar(1)
                        .setLimit(Limit.newBuilder()
                                .setOwner(Limit.Owner.CGROUP)
                                .setCgroup("/scratch")
                                .setLimitBytes(32 << 20)))
                .setCgroupPath("/scratch")
                .addEvidence(OomKillEvent.Evidence.KMSG_SUMMARY)
                .addEvidence(OomKillEvent.Evidence.MEMORY_EVENTS)
                .setCertainty(OomKillEvent.Certainty.CONFIRMED);
    }

    /** A container's process, killed at its pod's limit. */
    public static OomKillEvent.Builder inPod() {
        OomKillEvent.Builder event = inCgroup(4242)
                .setContainer(Container.newBuilder()
                        .setRuntime("containerd")
                        .setId("0123456789abcdef0123456789abcdef")
                        .setName("app")
                        .setPod(Pod.newBuilder()
                                .setNamespace("shop")
                                .setName("cart-0")
                                .setUid("1-2-3")));
        event.getIncidentBuilder()
                .getLimitBuilder()
                .setOwner(Limit.Owner.POD)
                .setCgroup("/kubepods/pod1-2-3")
                .setLimitBytes(3L << 30);
        event.getVictimBuilder().setComm("java").setAnonRssBytes(2L << 30);
        return event;
    }
}
