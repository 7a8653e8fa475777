package dev.exit137.agent.delivery;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.exit137.proto.state.v1.Checkpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointFileTest {
    private static final Checkpoint CHECKPOINT =
            Checkpoint.newBuilder().setBootId("b").setKmsgNextSequence(42).build();

    @TempDir
    Path directory;

    @Test
    void whatWasWrittenLastIsReadAfterARestart() throws IOException {
        try (CheckpointFile file = new CheckpointFile(directory)) {
            file.write(Checkpoint.newBuilder().setBootId("older").build());
            file.write(CHECKPOINT);
        }
        try (CheckpointFile file = new CheckpointFile(directory)) {
            assertThat(file.read()).contains(CHECKPOINT);
        }
    }

    @Test
    void aDamagedOneIsKeptAsideAndTheAgentStartsAfresh() throws IOException {
        try (CheckpointFile file = new CheckpointFile(directory)) {
            Files.write(directory.resolve("checkpoint"), new byte[] {10, 100, 1});
            assertThat(file.read()).isEmpty();
        }
        assertThat(directory.resolve("checkpoint.damaged")).exists();
        assertThat(directory.resolve("checkpoint")).doesNotExist();
    }

    @Test
    void aWriteThatWasCutShortLeavesTheOneBefore() throws IOException {
        try (CheckpointFile file = new CheckpointFile(directory)) {
            file.write(CHECKPOINT);
            Files.write(directory.resolve("checkpoint.new"), new byte[] {10, 100});
            assertThat(file.read()).contains(CHECKPOINT);
        }
    }

    @Test
    void aDirectoryThatSomeoneDeletedIsMadeAgain() throws IOException {
        Path state = directory.resolve("state");
        try (CheckpointFile file = new CheckpointFile(state)) {
            Files.delete(state.resolve("lock"));
            Files.delete(state);
            file.write(CHECKPOINT);
            assertThat(file.read()).contains(CHECKPOINT);
        }
    }

    @Test
    void twoAgentsCannotShareADirectory() throws IOException {
        try (CheckpointFile file = new CheckpointFile(directory)) {
            file.write(CHECKPOINT);
            assertThatThrownBy(() -> new CheckpointFile(directory))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("--state-dir " + directory)
                    .hasMessageContaining("in use by another agent");
        }
    }

    @Test
    void aDirectoryThatCannotBeMadeIsNamed() throws IOException {
        Path file = Files.createFile(directory.resolve("file"));
        assertThatThrownBy(() -> new CheckpointFile(file.resolve("state")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("--state-dir " + file.resolve("state"));
    }
}
