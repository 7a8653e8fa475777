package dev.exit137.daemon.tls;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What files hold, read again when they have changed: certificates, keys and tokens are rotated while a program runs.
 * Looking costs one stat(2) per file, at each use; so there is no thread, and no time in which the old one is still
 * used. Files that cannot be used any more are said once, and what they held before stays in use. Safe for all threads.
 */
public final class Reloaded<T> {
  private static final Logger LOG = LoggerFactory.getLogger(Reloaded.class);

  /** Makes a value of the files. */
  @FunctionalInterface
  public interface Reader<T> {
    T read() throws UnusableFileException;
  }

  private final List<FlagFile> files;
  private final Reader<T> reader;
  private List<Object> stamps;
  private T value;

  /** Reads them for the first time. */
  public Reloaded(List<FlagFile> files, Reader<T> reader) throws UnusableFileException {
    this.files = files;
    this.reader = reader;
    stamps = stamps();
    value = reader.read();
  }

  /** What the files hold now, or held when they were last usable. */
  public synchronized T get() {
    // Before reading: what changes meanwhile is read again at the next use.
    List<Object> now = stamps();
    if (!now.equals(stamps)) {
      stamps = now;
      try {
        value = reader.read();
        LOG.info("read again: {}", files);
      } catch (UnusableFileException e) {
        LOG.warn("{} (what was read before stays in use)", e.getMessage());
      }
    }
    return value;
  }

  private List<Object> stamps() {
    List<Object> stamps = new ArrayList<>();
    for (FlagFile file : files) {
      try {
        BasicFileAttributes attributes = Files.readAttributes(file.path(), BasicFileAttributes.class);
        stamps.add(List.of(attributes.lastModifiedTime(), attributes.size(), String.valueOf(attributes.fileKey())));
      } catch (IOException e) {
        stamps.add("");
      }
    }
    return stamps;
  }
}
