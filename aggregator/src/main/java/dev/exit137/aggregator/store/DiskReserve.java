package dev.exit137.aggregator.store;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A file that is good for nothing but to be deleted when the disk is full: SQLite cannot delete a row without writing to
 * its log first.
 */
final class DiskReserve {
  /** The log of a step of retention fits, and a checkpoint of the log before it. */
  static final long BYTES = 8 << 20;

  private static final int CHUNK_BYTES = 64 << 10;

  private final Path file;

  DiskReserve(Path file) {
    this.file = file;
  }

  /** Takes the room, unless it is taken already; false when there is too little of it. */
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

  /** Gives the room to whoever needs it first; false when there is none to give. */
  boolean release() {
    try {
      return Files.deleteIfExists(file);
    } catch (IOException e) {
      return false;
    }
  }

  /** Whether there is as much room beside the reserve, too. */
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
