package dev.exit137.agent.delivery;

import dev.exit137.proto.state.v1.Checkpoint;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The checkpoint in the state directory, and the lock that keeps a second agent out of that directory. One thread.
 *
 * <pre>
 * state directory
 *   lock                 empty; locked (FileLock) while an agent uses the directory
 *   checkpoint           the last checkpoint: one serialized exit137.state.v1.Checkpoint, nothing before or behind it
 *   checkpoint.new       the next checkpoint, while it is written
 *   checkpoint.damaged   the last checkpoint that could not be parsed
 *
 * write: checkpoint.new → fsync → rename to checkpoint → fsync of the directory
 * </pre>
 *
 * <p>The file has no segments, no header and no checksum: the rename replaces the whole file, so that there is always a
 * complete checkpoint, and a file that protobuf cannot parse counts as damaged. The class is ours because the JDK's
 * file API already does all of this: a library would only add a dependency.
 */
public final class CheckpointFile implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(CheckpointFile.class);

    final Path directory;
    private final Path file;
    private final Path aside;
    private final @Nullable FileChannel lockChannel;

    /** @throws IOException if the directory cannot be used; the message names it and the remedy */
    public CheckpointFile(Path directory) throws IOException {
        this.directory = directory;
        file = directory.resolve("checkpoint");
        aside = directory.resolve("checkpoint.new");
        lockChannel = openLock();
        if (lockChannel == null) {
            return;
        }
        FileLock lock;
        try {
            lock = lockChannel.tryLock();
        } catch (OverlappingFileLockException e) {
            lock = null;
        }
        if (lock == null) {
            lockChannel.close();
            throw new IOException("--state-dir " + directory
                    + " is in use by another agent; stop it, or give this one a directory of its own");
        }
    }

    /**
     * Returns null if the file system is read-only, as it becomes after a disk error: the agent then goes on without a
     * lock.
     */
    private @Nullable FileChannel openLock() throws IOException {
        try {
            Files.createDirectories(directory);
            return FileChannel.open(directory.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        } catch (IOException e) {
            if (Files.isDirectory(directory) && Files.getFileStore(directory).isReadOnly()) {
                LOG.error(
                        "--state-dir {} is on a read-only file system: going on in memory; after a restart, events may be"
                                + " sent again",
                        directory);
                return null;
            }
            throw new IOException(
                    "cannot write to --state-dir " + directory + ": " + e
                            + "; give a directory that this user may write to",
                    e);
        }
    }

    /** Reads the last checkpoint. A damaged one is logged and renamed: the agent then starts as if for the first time. */
    public Optional<Checkpoint> read() throws IOException {
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        try {
            return Optional.of(Checkpoint.parseFrom(Files.readAllBytes(file)));
        } catch (com.google.protobuf.InvalidProtocolBufferException e) {
            Path damaged = directory.resolve("checkpoint.damaged");
            Files.move(file, damaged, StandardCopyOption.REPLACE_EXISTING);
            LOG.error(
                    "the checkpoint is damaged ({}); kept as {}. Kills still in the kernel's ring are read again.",
                    e.getMessage(),
                    damaged);
            return Optional.empty();
        }
    }

    /** Replaces the checkpoint; it is on the disk when this method returns. */
    public void write(Checkpoint checkpoint) throws IOException {
        Files.createDirectories(directory);
        try (FileChannel channel = FileChannel.open(
                aside, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel));
            checkpoint.writeTo(out);
            out.flush();
            channel.force(true);
        }
        Files.move(aside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        try (FileChannel entries = FileChannel.open(directory, StandardOpenOption.READ)) {
            entries.force(true);
        }
    }

    /** Releases the lock of the directory. */
    @Override
    public void close() {
        try {
            if (lockChannel != null) {
                lockChannel.close();
            }
        } catch (IOException e) {
            LOG.warn("the lock of {} could not be closed: {}", directory, e.toString());
        }
    }
}
