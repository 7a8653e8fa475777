package dev.exit137.nativetest;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The remains of a container runtime that has ended: shims, which are not its children, mounts, and files. */
final class RuntimeRemains {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private RuntimeRemains() {}

    /** @param directory holds all that the runtime made; this method deletes it */
    static void clear(Path logs, Path directory) throws IOException, InterruptedException {
        for (ProcessHandle shim : shims(directory)) {
            shim.destroyForcibly();
            try {
                shim.onExit().get(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
            } catch (ExecutionException | TimeoutException e) {
                throw new IOException("shim " + shim.pid() + " does not end", e);
            }
        }
        for (String mount : mountsDeepestFirst(directory)) {
            Bed.run(logs, "umount", LIMIT, new ProcessBuilder("umount", "-l", mount));
        }
        Bed.delete(directory);
    }

    private static List<ProcessHandle> shims(Path directory) throws IOException {
        List<ProcessHandle> shims = new ArrayList<>();
        try (DirectoryStream<Path> all = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
            for (Path one : all) {
                String commandLine = read(one.resolve("cmdline"));
                if (commandLine.contains("containerd-shim") && commandLine.contains(directory + "/")) {
                    ProcessHandle.of(Long.parseLong(one.getFileName().toString()))
                            .ifPresent(shims::add);
                }
            }
        }
        return shims;
    }

    private static List<String> mountsDeepestFirst(Path directory) {
        return read(Path.of("/proc/self/mounts"))
                .lines()
                .map(line -> line.split(" ")[1])
                .filter(mount -> mount.startsWith(directory + "/"))
                .toList()
                .reversed();
    }

    private static String read(Path file) {
        try {
            return new String(Files.readAllBytes(file), UTF_8);
        } catch (IOException e) {
            return "";
        }
    }
}
