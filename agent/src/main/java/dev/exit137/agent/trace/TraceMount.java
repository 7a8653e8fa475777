package dev.exit137.agent.trace;

import dev.exit137.agent.linux.Descriptor;
import dev.exit137.agent.linux.Sys;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A way to tracefs: the node's mount, or one of the agent's own. The own mount is taken out of the tree of files at once,
 * and lives as long as a descriptor of it is open: an agent that is killed leaves no mount behind, and a program that
 * deletes the state directory finds no instances in it.
 */
final class TraceMount implements AutoCloseable {
    private static final String TYPE = "tracefs";

    private final Path root;
    private final Descriptor own;

    private TraceMount(Path root, Descriptor own) {
        this.root = root;
        this.own = own;
    }

    /**
     * Finds tracefs at one of the candidates, or mounts it.
     *
     * @param mountPoint a directory of the agent; it is made, and is empty again afterwards
     * @throws IOException if there is no usable tracefs; the message has the reason and the remedy
     */
    static TraceMount find(List<Path> candidates, Path mountPoint) throws IOException {
        for (Path candidate : candidates) {
            if (isUsable(candidate)) {
                return new TraceMount(candidate, new Descriptor(-Sys.EBADF));
            }
        }
        TraceMount own = mount(mountPoint);
        if (!isUsable(own.root)) {
            own.close();
            throw new IOException(
                    "tracefs is empty: the kernel was built without CONFIG_FTRACE, or its lockdown mode is"
                            + " `confidentiality` (/sys/kernel/security/lockdown)");
        }
        return own;
    }

    private static boolean isUsable(Path root) {
        return Files.isWritable(root.resolve("instances")) && Files.isDirectory(root.resolve("events"));
    }

    private static TraceMount mount(Path mountPoint) throws IOException {
        Files.createDirectories(mountPoint);
        try {
            int mounted = Sys.mount(TYPE, mountPoint.toString());
            if (mounted < 0) {
                throw new IOException("there is no tracefs that may be used, and mounting it failed: "
                        + Sys.describe(mounted)
                        + "; run the agent as root, with CAP_SYS_ADMIN or with tracefs at /sys/kernel/tracing");
            }
            int opened = Sys.open(mountPoint.toString(), Sys.O_RDONLY | Sys.O_DIRECTORY | Sys.O_CLOEXEC);
            Sys.detach(mountPoint.toString());
            if (opened < 0) {
                throw new IOException("tracefs was mounted, and opening it failed: " + Sys.describe(opened));
            }
            return new TraceMount(Path.of("/proc/self/fd/" + opened), new Descriptor(opened));
        } finally {
            Files.deleteIfExists(mountPoint);
        }
    }

    /** The directory of tracefs; of an own mount it is valid in this process only. */
    Path root() {
        return root;
    }

    @Override
    public void close() {
        own.close();
    }
}
