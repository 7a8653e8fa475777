package dev.exit137.daemon.tls;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The content of files, read again after a change: certificates, keys and tokens are rotated while a program runs. Each
 * use costs one stat(2) per file, so there is no thread, and an old value is never used after a change. A file that
 * becomes unusable is logged once, and its last usable content stays in use. Safe for all threads.
 */
public final class Reloaded<T> {
    private static final Logger LOG = LoggerFactory.getLogger(Reloaded.class);

    /** Reads the files and creates the value. */
    @FunctionalInterface
    public interface Reader<T> {
        T read() throws UnusableFileException;
    }

    private final List<FlagFile> files;
    private final Reader<T> reader;
    private List<Object> stamps;
    private T value;

    /** Reads the files for the first time. */
    public Reloaded(List<FlagFile> files, Reader<T> reader) throws UnusableFileException {
        this.files = files;
        this.reader = reader;
        stamps = stamps();
        value = reader.read();
    }

    /** Returns the current content of the files, or the last usable one. */
    public synchronized T get() {
        // Taken before the read, so that a change during the read causes another read at the next use.
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
                stamps.add(List.of(
                        attributes.lastModifiedTime(), attributes.size(), String.valueOf(attributes.fileKey())));
            } catch (IOException e) {
                stamps.add("");
            }
        }
        return stamps;
    }
}
