package dev.exit137.nativetest;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** A memory cgroup of this machine, v1 or v2, which {@code close} removes. */
final class ScratchCgroup implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final Path V1 = Path.of("/sys/fs/cgroup/memory");
    private static final Path V2 = Path.of("/sys/fs/cgroup");
    private static final boolean IS_V1 = Files.exists(V1.resolve("memory.usage_in_bytes"));

    private final Path directory;

    private ScratchCgroup(Path directory) {
        this.directory = directory;
    }

    /**
     * Makes a cgroup. Skips the calling test if none can be made, or its kills cannot be read.
     *
     * @param bed name of the bed, for the skip message
     */
    static ScratchCgroup make(String bed, String name) {
        if (!System.getProperty("user.name").equals("root") || !Files.isReadable(Path.of("/dev/kmsg"))) {
            Bed.skip(bed, "not root, or /dev/kmsg is not readable");
        }
        Path directory = (IS_V1 ? V1 : V2)
                .resolve("exit137-" + name + "-" + ProcessHandle.current().pid());
        try {
            Files.createDirectory(directory);
        } catch (IOException e) {
            Bed.skip(bed, "no memory cgroup can be made: " + e);
        }
        ScratchCgroup cgroup = new ScratchCgroup(directory);
        if (!IS_V1 && !Files.exists(directory.resolve("memory.max"))) {
            cgroup.close();
            Bed.skip(bed, "the memory controller is not enabled below " + V2);
        }
        return cgroup;
    }

    /** Makes a cgroup within this one, with a limit of its own; close it before this one. */
    ScratchCgroup child(String name) {
        try {
            if (!IS_V1) {
                Files.writeString(directory.resolve("cgroup.subtree_control"), "+memory");
            }
            return new ScratchCgroup(Files.createDirectory(directory.resolve(name)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Returns the last part of its path. */
    String name() {
        return directory.getFileName().toString();
    }

    /** Returns the first command of a shell that moves itself, with its later children, into this cgroup. */
    String enter() {
        return "echo $$ > " + directory.resolve("cgroup.procs") + "; ";
    }

    long usageBytes() {
        return Long.parseLong(read(IS_V1 ? "memory.usage_in_bytes" : "memory.current"));
    }

    /** Sets the limit, of memory and swap together. */
    void limit(long bytes) {
        List<String> files =
                IS_V1 ? List.of("memory.limit_in_bytes", "memory.memsw.limit_in_bytes") : List.of("memory.max");
        try {
            for (String file : files) {
                if (Files.exists(directory.resolve(file))) {
                    Files.writeString(directory.resolve(file), Long.toString(bytes));
                }
            }
            if (!IS_V1 && Files.exists(directory.resolve("memory.swap.max"))) {
                Files.writeString(directory.resolve("memory.swap.max"), "0");
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String read(String file) {
        try {
            return Files.readString(directory.resolve(file)).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        Bed.await("an empty cgroup", LIMIT, () -> read("cgroup.procs"), String::isEmpty);
        try {
            Files.delete(directory);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
