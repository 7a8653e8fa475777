package dev.exit137.cli;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.Pod;
import dev.exit137.proto.v1.ProcessRef;
import dev.exit137.proto.v1.Sender;
import dev.exit137.proto.v1.StopRequest;
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

    /** A Docker container that did not end in time after docker stop; the trace has the sender. */
    public static ExitEvent.Builder stopTimeout(String name) {
        return ExitEvent.newBuilder()
                .setEventId("boot/exit/container/" + name + "/1")
                .setRevision(1)
                .setTime(TIME)
                .setObservedTime(TIME)
                .setNode(Node.newBuilder().setName("node-1").setKernelRelease("6.1.0"))
                .setSubject(ExitEvent.Subject.CONTAINER)
                .setContainer(Container.newBuilder()
                        .setRuntime("docker")
                        .setId("89abcdef01234567" + name)
                        .setName(name)
                        .setImage("bb:1"))
                .setExitCode(137)
                .setSignal(9)
                .setStartedAt(TIME.toBuilder().setSeconds(TIME.getSeconds() - 60))
                .setCause(ExitEvent.Cause.STOP_TIMEOUT)
                .setStopRequest(StopRequest.newBuilder()
                        .setSignal(15)
                        .setTime(TIME.toBuilder().setSeconds(TIME.getSeconds() - 10))
                        .setWaited(Duration.newBuilder().setSeconds(10))
                        .setGrace(Duration.newBuilder().setSeconds(10)))
                .setSender(Sender.newBuilder()
                        .setPid(812)
                        .setTgid(812)
                        .setComm("runc")
                        .setExe("/usr/bin/runc")
                        .setUid(0)
                        .setUnit("docker.service")
                        .addParents(ProcessRef.newBuilder().setPid(1).setComm("systemd")))
                .setAskedBy(
                        AskedBy.newBuilder().setKind(AskedBy.Kind.DOCKER_CLIENT).setDetail("docker stop"))
                .addEvidence(ExitEvent.Evidence.TRACE)
                .addEvidence(ExitEvent.Evidence.DOCKER)
                .setCertainty(ExitEvent.Certainty.CONFIRMED)
                .setExplanation("container " + name + " did not end in time.")
                .addRecommendations("Handle SIGTERM in process 1");
    }

    /** A systemd service that was killed; no source says by whom. */
    public static ExitEvent.Builder killedUnit(String unit) {
        return ExitEvent.newBuilder()
                .setEventId("boot/exit/unit/" + unit + "/1")
                .setRevision(1)
                .setTime(TIME)
                .setObservedTime(TIME)
                .setNode(Node.newBuilder().setName("node-1"))
                .setSubject(ExitEvent.Subject.UNIT)
                .setUnit(unit)
                .setProcess(ProcessRef.newBuilder().setPid(77).setComm("nginx"))
                .setExitCode(137)
                .setSignal(9)
                .setCause(ExitEvent.Cause.UNKNOWN)
                .addEvidence(ExitEvent.Evidence.SYSTEMD)
                .addEvidenceMissing("trace: tracefs is not mounted")
                .setExplanation("unit " + unit + " ended by SIGKILL; no source says who sent it.");
    }
}
