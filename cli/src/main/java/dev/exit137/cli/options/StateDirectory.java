package dev.exit137.cli.options;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/** The default directory for state. */
public final class StateDirectory {
    private static final Path OF_ROOT = Path.of("/var/lib/exit137");

    private StateDirectory() {}

    /** /var/lib/exit137 for root; for other users the XDG state directory, by default ~/.local/state/exit137. */
    public static Path byDefault(Map<String, String> environment) {
        return isRoot() ? OF_ROOT : ofUser(environment);
    }

    static Path ofUser(Map<String, String> environment) {
        Path states = Optional.ofNullable(environment.get("XDG_STATE_HOME"))
                .filter(directory -> directory.startsWith("/"))
                .map(Path::of)
                .orElseGet(() -> Path.of(environment.getOrDefault("HOME", "/tmp"), ".local", "state"));
        return states.resolve("exit137");
    }

    /** Whether this process runs as root. */
    public static boolean isRoot() {
        try {
            return (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0;
        } catch (IOException e) {
            return false;
        }
    }
}
