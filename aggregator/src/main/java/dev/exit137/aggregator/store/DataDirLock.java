package dev.exit137.aggregator.store;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/**
 * Locks a data directory for one process. SQLite itself would let two processes write, but neither would report the
 * events of the other to its watches.
 */
final class DataDirLock implements AutoCloseable {
    private final FileChannel channel;

    private DataDirLock(FileChannel channel) {
        this.channel = channel;
    }

    /**
     * Creates the directory if it is missing, and locks it.
     *
     * @throws IOException the directory cannot be used; the message is fit for the user
     */
    static DataDirLock acquire(Path dataDir) throws IOException {
        FileChannel channel;
        try {
            Files.createDirectories(dataDir);
            channel = FileChannel.open(dataDir.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw unusable(dataDir, reason(e), "give a directory that can be written with --data-dir", e);
        }
        FileLock lock = null;
        try {
            lock = channel.tryLock();
        } catch (OverlappingFileLockException heldInThisProcess) {
            // lock stays null: treated as held by another process.
        } catch (IOException e) {
            channel.close();
            throw unusable(dataDir, "it cannot be locked: " + reason(e), "give one on a local disk with --data-dir", e);
        }
        if (lock == null) {
            channel.close();
            throw unusable(
                    dataDir,
                    "another aggregator is using it",
                    "stop that one, or give another directory with --data-dir",
                    null);
        }
        return new DataDirLock(channel);
    }

    /** Releases the directory; the lock ends with its channel. */
    @Override
    public void close() throws IOException {
        channel.close();
    }

    private static IOException unusable(Path dataDir, String reason, String remedy, @Nullable IOException cause) {
        return new IOException("data directory " + dataDir + " cannot be used: " + reason + "; " + remedy, cause);
    }

    private static String reason(IOException e) {
        return switch (e) {
            case FileAlreadyExistsException there -> there.getFile() + " is not a directory";
            case AccessDeniedException denied -> "permission denied for " + denied.getFile();
            case FileSystemException other when other.getReason() != null -> other.getReason();
            default -> e.toString();
        };
    }
}
