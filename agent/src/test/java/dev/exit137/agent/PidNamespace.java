package dev.exit137.agent;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** In which pid namespace a procfs that is made up counts: the machine's, in which the kernel's log does, or another. */
public enum PidNamespace {
    MACHINE("2 (kthreadd) S 0 0 0 0 -1 2129984"),
    NODE_IN_A_CONTAINER("2 (kubelet) S 1 2 2 0 -1 4194560");

    private final String secondProcess;

    PidNamespace(String secondProcess) {
        this.secondProcess = secondProcess;
    }

    public void of(Path procRoot) {
        try {
            Path file = procRoot.resolve("2/stat");
            Files.createDirectories(file.getParent());
            Files.writeString(file, secondProcess + " 0 0 0 0 2 0 0 0 20 0 1 0 30 0 0 18446744073709551615\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
