package dev.exit137.nativetest;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** This machine's tracefs, mounted for a test. */
final class TraceFs implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private final Path out;
    private final Path root;

    private TraceFs(Path out, Path root) {
        this.out = out;
        this.root = root;
    }

    /** Those of agents of other tests, and of this machine. */
    private final List<Path> others = new ArrayList<>();

    /** Mounts it, or skips the calling test. */
    static TraceFs mount(String bed, Path out) {
        if (!System.getProperty("user.name").equals("root")) {
            Bed.skip(bed, "not root, so it cannot mount tracefs");
        }
        try {
            Path root = Files.createDirectories(out.resolve("tracing"));
            Bed.Finished mounted = Bed.run(
                    out, "mount", LIMIT, new ProcessBuilder("mount", "-t", "tracefs", "tracefs", root.toString()));
            if (mounted.status() != 0) {
                Bed.skip(bed, "tracefs cannot be mounted: " + mounted.errText());
            }
            TraceFs tracefs = new TraceFs(out, root);
            tracefs.others.addAll(tracefs.instances());
            if (!Files.isDirectory(root.resolve("events/signal/signal_generate"))) {
                tracefs.close();
                Bed.skip(bed, "this kernel has no event signal_generate");
            }
            return tracefs;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Path root() {
        return root;
    }

    /** The instances of agents, whose names begin so; without those that were there before. */
    List<Path> instances() {
        try (DirectoryStream<Path> directories = Files.newDirectoryStream(root.resolve("instances"), "exit137-*")) {
            List<Path> instances = new ArrayList<>();
            directories.forEach(instances::add);
            instances.removeAll(others);
            return instances;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        Bed.run(out, "umount", LIMIT, new ProcessBuilder("umount", root.toString()));
    }
}
