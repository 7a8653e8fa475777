package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Certainty;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/** A Docker Engine and an agent beside it that sees the kernel's trace of signals: what it says of each end. */
final class DockerEnds implements AutoCloseable {
    static final String WAITS = "while :; do sleep 0.1; done";

    private static final Duration LIMIT = Duration.ofMinutes(1);

    private final Path out;
    private final DockerEngine engine;
    private final LiveAgent agent;

    private DockerEnds(Path out, DockerEngine engine, LiveAgent agent) {
        this.out = out;
        this.engine = engine;
        this.agent = agent;
    }

    /** Starts both, or skips the calling class. @param name of the directory with their output */
    static DockerEnds start(String name) {
        DockerTest.skipWhereDockerCannotRun();
        Path out = Bed.freshDirectory(name);
        DockerEngine engine = null;
        LiveAgent agent = null;
        try {
            engine = DockerEngine.start(out);
            agent = LiveAgent.startWithDocker(out.resolve("agent"), engine.socket());
            agent.awaitRuntime(State.ACTIVE);
            LiveAgent asked = agent;
            Optional<SourceStatus> trace =
                    Bed.await("the state of the trace", LIMIT, () -> asked.source("trace"), Optional::isPresent);
            if (trace.orElseThrow().getState() != State.ACTIVE) {
                Bed.skip("who sent the signal", trace.orElseThrow().getDetail());
            }
            return new DockerEnds(out, engine, agent);
        } catch (RuntimeException | AssertionError e) {
            Bed.close(agent, engine);
            throw e;
        }
    }

    Path out() {
        return out;
    }

    DockerEngine engine() {
        return engine;
    }

    /** Returns the ends of the container that have come so far. */
    List<ExitEvent> of(String container) {
        return agent.exits(container);
    }

    /** Waits for the one end of a container, in a revision that is as wanted. */
    ExitEvent only(String container, Predicate<ExitEvent> wanted) {
        Bed.await(
                "the end of " + container,
                LIMIT,
                () -> of(container),
                ends -> ends.stream().anyMatch(wanted));
        List<ExitEvent> ends = of(container);
        assertThat(ends).as("ends of " + container).hasSize(1);
        return ends.getFirst();
    }

    /** Waits for the one end of a container, with this cause. */
    ExitEvent only(String container, Cause cause, Certainty certainty) {
        ExitEvent end;
        try {
            end = only(container, event -> event.getCause() == cause);
        } catch (AssertionError e) {
            throw new AssertionError(container + " has not the cause " + cause + ": " + of(container), e);
        }
        System.out.println("END " + container + ": " + cause + " " + end.getCertainty() + ": " + end.getExplanation());
        assertThat(end.getCertainty()).as(end.getExplanation()).isEqualTo(certainty);
        assertThat(end.getContainer().getName()).isEqualTo(container);
        return end;
    }

    static void assertAsked(ExitEvent end, AskedBy.Kind kind, String detail) {
        assertThat(end.getAskedBy().getKind()).as(end.toString()).isEqualTo(kind);
        assertThat(end.getAskedBy().getDetail()).as(end.toString()).isEqualTo(detail);
    }

    /** Runs a program of the host to its end. */
    void run(String... command) {
        Bed.Finished finished = Bed.run(out, "program", LIMIT, new ProcessBuilder(command));
        assertThat(finished.status()).as(finished.errText()).isZero();
    }

    /** Runs a shell's script. The shell stays a moment: of a sender that ends at once, only its pid may be known. */
    void shell(String script) {
        run("/bin/bash", "-c", script + "; sleep 2; :");
    }

    @Override
    public void close() {
        Bed.close(agent, engine);
    }
}
