package dev.exit137.aggregator.store;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A file that reserves disk space. It is deleted when the disk is full: SQLite cannot delete a row without writing to
 * its log first.
 */
final class DiskReserve {
    /** Enough for the log of a retention step, and for the checkpoint of the log before it. */
    static final long BYTES = 8 << 20;

    private static final int CHUNK_BYTES = 64 << 10;

    private final Path file;

    DiskReserve(Path file) {
        this.file = file;
    }

    /** Allocates the reserve unless it exists; false if the disk has too little room. */
    boolean make() {
        try {
            if (held()) {
                return true;
            }
            try (OutputStream out = Files.newOutputStream(file)) {
                byte[] chunk = new byte[CHUNK_BYTES];
                for (long written = 0; written < BYTES; written += chunk.length) {
                    out.write(chunk);
                }
            }
            return true;
        } catch (IOException full) {
            release();
            return false;
        }
    }

    /** Deletes the reserve, so that other writes can use its space; false if there was no reserve. */
    boolean release() {
        try {
            return Files.deleteIfExists(file);
        } catch (IOException e) {
            return false;
        }
    }

    /** Whether the disk has as much free space again, besides the reserve. */
    boolean hasRoomBeside() {
        try {
            long free = Files.getFileStore(file.getParent()).getUsableSpace();
            return free >= (held() ? BYTES : 2 * BYTES);
        } catch (IOException e) {
            return false;
        }
    }

    private boolean held() throws IOException {
        return Files.exists(file) && Files.size(file) >= BYTES;
    }
}
