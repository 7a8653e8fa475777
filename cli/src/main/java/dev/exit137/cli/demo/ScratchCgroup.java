package dev.exit137.cli.demo;

import dev.exit137.agent.cgroup.CgroupMount;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;

/** The demo's own memory cgroup, with a small limit and no swap; closing removes it. */
public final class ScratchCgroup implements AutoCloseable {
    private static final int REMOVAL_TRIES = 50;
    private static final long REMOVAL_PAUSE_NANOS = 20_000_000;

    private final Path directory;
    private final String path;

    private ScratchCgroup(Path directory, String path) {
        this.directory = directory;
        this.path = path;
    }

    /**
     * Makes a cgroup at the top of the hierarchy.
     *
     * @throws IOException the cgroup cannot be made, or has no memory controller
     */
    public static ScratchCgroup make(CgroupMount mount, long limitBytes) throws IOException {
        String name = "exit137-demo-" + ProcessHandle.current().pid();
        Path controllers = mount.root().resolve("cgroup.subtree_control");
        if (mount.isV2() && !(" " + Files.readString(controllers).strip() + " ").contains(" memory ")) {
            Files.writeString(controllers, "+memory");
        }
        Path directory = Files.createDirectory(mount.root().resolve(name));
        ScratchCgroup cgroup = new ScratchCgroup(directory, mount.prefix() + "/" + name);
        try {
            if (mount.isV2()) {
                cgroup.write("memory.max", limitBytes);
                cgroup.writeIfThere("memory.swap.max", 0);
            } else {
                cgroup.write("memory.limit_in_bytes", limitBytes);
                cgroup.writeIfThere("memory.memsw.limit_in_bytes", limitBytes);
            }
            return cgroup;
        } catch (IOException e) {
            cgroup.close();
            throw e;
        }
    }

    /** The path as the kernel log spells it. */
    public String path() {
        return path;
    }

    /** The file for the pids of the cgroup's processes. */
    public Path procs() {
        return directory.resolve("cgroup.procs");
    }

    private void write(String file, long value) throws IOException {
        Files.writeString(directory.resolve(file), Long.toString(value));
    }

    private void writeIfThere(String file, long value) throws IOException {
        if (Files.exists(directory.resolve(file))) {
            write(file, value);
        }
    }

    /** Removes the cgroup, which is busy for a moment after its last process has died. */
    @Override
    public void close() throws IOException {
        for (int i = 1; ; i++) {
            try {
                Files.deleteIfExists(directory);
                return;
            } catch (FileSystemException e) {
                if (i == REMOVAL_TRIES) {
                    throw e;
                }
                LockSupport.parkNanos(REMOVAL_PAUSE_NANOS);
            }
        }
    }
}
