package dev.exit137.agent.container;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.agent.exit.ContainerEnd;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever is thrown in a runtime's client or behind it, the runtime is asked again. */
class RuntimeLinkTest {
    private static final String ID = "4f0c".repeat(16);
    private static final Identity IDENTITY =
            new Identity(Container.newBuilder().setId(ID).setName("web").build(), Map.of(), true, null, null);

    @TempDir
    private Path directory;

    private final Guard guard = new Guard();
    private final FakeRuntime runtime = new FakeRuntime();
    private final List<String> listed = new ArrayList<>();
    private final List<String> started = new ArrayList<>();
    private RuntimeException openerFails;
    private RuntimeException listenerFails;
    private RuntimeLink link;

    @BeforeEach
    void make() throws IOException {
        Path socket = Files.createFile(directory.resolve("cri.sock"));
        link = new RuntimeLink(
                "cri",
                socket,
                path -> {
                    throwIfSet(openerFails);
                    return runtime;
                },
                new RuntimeLink.Listener() {
                    @Override
                    public void onListed(RuntimeLink link, List<Identity> identities) {
                        throwIfSet(listenerFails);
                        identities.forEach(identity -> listed.add(identity.id()));
                    }

                    @Override
                    public RuntimeWatcher watcher(RuntimeLink link) {
                        return new FakeWatcher() {
                            @Override
                            public void onAppeared(String id) {
                                throwIfSet(listenerFails);
                                started.add(id);
                            }
                        };
                    }
                },
                guard);
    }

    private static void throwIfSet(Throwable thrown) {
        if (thrown instanceof RuntimeException exception) {
            throw exception;
        }
        if (thrown instanceof Error error) {
            throw error;
        }
    }

    private void tick(int times) {
        for (int i = 0; i < times; i++) {
            link.tick();
        }
    }

    @Test
    void aListThatThrowsIsCountedAndAskedForAgain() {
        runtime.throwsFrom = new StackOverflowError();
        tick(1);
        assertThat(link.status().getDetail()).contains("StackOverflowError");
        assertThat(link.runtime()).isNull();
        assertThat(guard.counts()).containsEntry("container-runtime", 1L);

        runtime.throwsFrom = null;
        tick(1);
        assertThat(listed).containsExactly(ID);
        assertThat(link.status().getState()).isEqualTo(State.ACTIVE);
    }

    @Test
    void anAnswerThatCannotBeUnderstoodIsCountedAndAskedForAgain() {
        runtime.failsWith = new CompletionException(new NullPointerException());
        tick(1);
        assertThat(link.status().getDetail()).contains("NullPointerException");
        assertThat(guard.counts()).containsEntry("container-runtime", 1L);

        runtime.failsWith = null;
        tick(1);
        assertThat(listed).containsExactly(ID);
    }

    @Test
    void aListThatItsListenerCannotTakeIsCountedAndTheNextOneComes() {
        listenerFails = new IllegalStateException("not this one");
        tick(1);
        assertThat(guard.counts()).containsEntry("container-runtime", 1L);
        assertThat(runtime.watcher).as("it is watched all the same").isNotNull();
        runtime.watcher.onAppeared(ID);
        assertThat(guard.counts()).containsEntry("container-runtime", 2L);

        listenerFails = null;
        tick(5);
        assertThat(listed).containsExactly(ID);
        runtime.watcher.onAppeared(ID);
        assertThat(started).containsExactly(ID);
    }

    @Test
    void aQuestionThatThrowsHasAnAnswer() {
        tick(1);
        runtime.throwsFrom = new IllegalStateException("no question");
        assertThat(link.ask(ID)).isCompletedExceptionally();
    }

    @Test
    void aStreamOfStartsThatThrowsIsOpenedAgain() {
        runtime.watchThrows = new IllegalStateException("no stream");
        tick(1);
        assertThat(guard.counts()).containsEntry("container-runtime", 1L);
        runtime.watchThrows = null;
        tick(5);
        assertThat(runtime.watcher).isNotNull();
    }

    @Test
    void aClientThatCannotBeMadeIsCountedSaidAndTriedAgain() {
        openerFails = new IllegalStateException("no client");
        tick(1);
        assertThat(guard.counts()).containsEntry("container-runtime", 1L);
        assertThat(link.status().getDetail()).contains("no client");
        openerFails = null;
        tick(5);
        assertThat(listed).containsExactly(ID);
    }

    @Test
    void aRuntimeWithoutAStreamOfStartsIsNotAskedForItAgain() {
        runtime.watchEnds = CompletableFuture.failedFuture(new RuntimeFailure("unimplemented"));
        tick(1);
        runtime.watcher = null;
        tick(20);
        assertThat(runtime.watcher).isNull();
        assertThat(guard.counts()).isEmpty();
    }

    /** Knows one container, or fails as a test says. */
    private static final class FakeRuntime implements ContainerRuntime {
        private Throwable throwsFrom;
        private Throwable failsWith;
        private RuntimeException watchThrows;
        private CompletableFuture<Void> watchEnds = new CompletableFuture<>();
        private RuntimeWatcher watcher;

        @Override
        public CompletableFuture<List<Identity>> list() {
            throwIfSet(throwsFrom);
            return failsWith == null
                    ? CompletableFuture.completedFuture(List.of(IDENTITY))
                    : CompletableFuture.failedFuture(failsWith);
        }

        @Override
        public CompletableFuture<Optional<Identity>> ask(String id) {
            throwIfSet(throwsFrom);
            return CompletableFuture.completedFuture(Optional.of(IDENTITY));
        }

        @Override
        public CompletableFuture<Optional<ContainerEnd>> askEnd(String id) {
            return CompletableFuture.completedFuture(Optional.empty());
        }

        @Override
        public CompletableFuture<Void> watch(RuntimeWatcher receiver) {
            throwIfSet(watchThrows);
            watcher = receiver;
            return watchEnds;
        }

        @Override
        public void close() {
            // Nothing is open.
        }
    }
}
