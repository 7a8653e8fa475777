package dev.exit137.nativetest;

import dev.exit137.cli.local.Programs;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * A real systemd as process 1 of namespaces on this machine, with its bus and its journal; {@code
 * src/main/systemd/bed.sh} makes it. Its kernel is the machine's: an agent out here traces the signals that it sends.
 * {@link #close} ends every process in it.
 */
final class SystemdBed implements AutoCloseable {
    private static final Path SCRIPT = Bed.MODULE.resolve("src/main/systemd/bed.sh");
    private static final String BED = "a systemd in namespaces";
    private static final Duration LIMIT = Duration.ofMinutes(1);
    /** Status of the script where the machine does not allow such a bed. */
    private static final int CANNOT_RUN = 3;

    private final Path out;
    // Not below target: the path of a unix socket has at most 107 bytes.
    private final Path directory;
    private final Process process;
    private final long pid;
    private final BusRelay relay;

    /** Starts it, or skips the calling test. @param out directory of the output of its programs */
    static SystemdBed start(Path out) {
        if (!System.getProperty("user.name").equals("root")) {
            Bed.skip(BED, "not root, so there are no namespaces");
        }
        try {
            return new SystemdBed(out);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private SystemdBed(Path out) throws IOException {
        this.out = out;
        directory = Files.createTempDirectory("exit137-systemd");
        Path log = out.resolve("bed.log");
        // It ends with the bed, even if the bed cannot end it; the script then removes its cgroups.
        process = new ProcessBuilder(
                        "timeout",
                        "-k",
                        "60",
                        "3600",
                        SCRIPT.toString(),
                        directory.toString(),
                        Bed.REPOSITORY.toString(),
                        Path.of(System.getProperty("java.home")).toString())
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(log.toFile())
                .redirectErrorStream(true)
                .start();
        boolean started = false;
        try {
            pid = Bed.await(
                    "process 1 of the bed",
                    LIMIT,
                    () -> {
                        if (!process.isAlive()) {
                            skipOrFail(process.exitValue(), log);
                        }
                        List<String> lines = Bed.lines(directory.resolve("pid"));
                        return lines.isEmpty() ? 0L : Long.parseLong(lines.getFirst());
                    },
                    found -> found > 0);
            Bed.await(
                    "the bed's systemd",
                    LIMIT,
                    () -> process.isAlive()
                            ? inside("systemctl", "is-active", "bed.target").outLines()
                            : List.of("it has ended: " + Bed.lines(log)),
                    List.of("active")::equals);
            relay = new BusRelay(directory.resolve("bus"), busInside(), this::hostPid);
            Path journalctl = Files.createDirectory(directory.resolve("bin")).resolve("journalctl");
            Files.writeString(
                    journalctl,
                    "#!/bin/sh\nexec " + Bed.find("journalctl").orElseThrow() + " --directory="
                            + root().resolve("run/log/journal") + " \"$@\"\n");
            Files.setPosixFilePermissions(journalctl, PosixFilePermissions.fromString("rwxr-xr-x"));
            started = true;
        } finally {
            if (!started) {
                process.destroy();
            }
        }
    }

    private static void skipOrFail(int status, Path log) {
        String said = String.join(" ", Bed.lines(log));
        if (status == CANNOT_RUN) {
            Bed.skip(BED, said);
        }
        throw new AssertionError("the bed ended with status " + status + ": " + said);
    }

    /** The bed's root, as it is reached from out here. */
    private Path root() {
        return Path.of("/proc", Long.toString(pid), "root");
    }

    private Path busInside() {
        return root().resolve("run/dbus/system_bus_socket");
    }

    /** Returns a socket of the bed's system bus on which processes have the pids that they have out here. */
    Path bus() {
        return directory.resolve("bus");
    }

    /** Returns what an agent out here needs in its environment to find the bed's journal: a journalctl that reads it. */
    Map<String, String> environment() {
        return Map.of("PATH", directory.resolve("bin") + ":" + System.getenv("PATH"));
    }

    /** Returns the bed's procfs, as it is reached from out here. */
    Path proc() {
        return root().resolve("proc");
    }

    /** Runs a program in the bed's namespaces, but not in a cgroup of its systemd. */
    Bed.Finished inside(String... command) {
        List<String> whole = new ArrayList<>(List.of(
                "nsenter",
                "--target=" + pid,
                "--mount",
                "--uts",
                "--ipc",
                "--net",
                "--pid",
                "--cgroup",
                "--root",
                "--wd"));
        whole.addAll(Arrays.asList(command));
        return Bed.run(out, Path.of(command[0]).getFileName().toString(), LIMIT, new ProcessBuilder(whole));
    }

    /** The bed's programs, for what looks at a machine after the fact. */
    Programs programs() {
        return command -> {
            Bed.Finished finished = inside(command);
            return new Programs.Output(
                    finished.status(),
                    String.join("\n", finished.outLines()),
                    finished.errText().lines().findFirst().orElse(""));
        };
    }

    /** Makes a service. @param lines of the unit's file; those before {@code [Service]} are of the section Unit */
    void unit(String name, String... lines) {
        try {
            Files.writeString(root().resolve("run/bed/units/" + name), "[Unit]\n" + String.join("\n", lines) + "\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Runs systemctl, which must succeed; returns its first line. */
    String systemctl(String... arguments) {
        Bed.Finished finished = trySystemctl(arguments);
        if (finished.status() != 0) {
            throw new AssertionError("systemctl " + String.join(" ", arguments) + ": " + finished.errText());
        }
        List<String> lines = finished.outLines();
        return lines.isEmpty() ? "" : lines.getFirst();
    }

    /** Runs systemctl, which may fail. */
    Bed.Finished trySystemctl(String... arguments) {
        List<String> command = new ArrayList<>(List.of("systemctl", "--no-pager"));
        command.addAll(Arrays.asList(arguments));
        return inside(command.toArray(String[]::new));
    }

    /** Returns a property of a unit. */
    String property(String unit, String name) {
        return systemctl("show", "--value", "--property=" + name, unit);
    }

    /** Waits until the unit is in this state, such as {@code running} or {@code failed}. */
    void await(String unit, String subState) {
        Bed.await(unit + " is " + subState, LIMIT, () -> property(unit, "SubState"), subState::equals);
    }

    /** Waits until the bus has told the agent of the service's main process, if it still runs. */
    void awaitToldOf(String unit) {
        Bed.await(
                "the bus tells of " + unit,
                LIMIT,
                () -> Integer.parseInt(property(unit, "MainPID")),
                inside -> inside == 0 || relay.knows(inside));
    }

    /** Makes the file {@code /run/UNIT}. */
    void open(String unit) {
        try {
            Files.createFile(root().resolve("run/" + unit));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Waits until the program of the service has made the file {@code /run/UNIT}. */
    void awaitReady(String unit) {
        Path file = root().resolve("run/" + unit);
        Bed.await(unit + " is ready", LIMIT, () -> Files.exists(file), there -> there);
    }

    /** Returns the main process of a service, as it is seen out here. */
    int mainPid(String unit) {
        int inside = Integer.parseInt(property(unit, "MainPID"));
        int found = hostPid(inside);
        if (found == 0) {
            throw new AssertionError("no process of the bed is its process " + inside + " of " + unit);
        }
        return found;
    }

    /** Returns the pid out here of a process of the bed; 0 if it is gone. */
    private int hostPid(int inside) {
        try (var processes = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
            Path namespace = Files.readSymbolicLink(Path.of("/proc", Long.toString(pid), "ns/pid"));
            for (Path each : processes) {
                if (isInside(each, inside, namespace)) {
                    return Integer.parseInt(each.getFileName().toString());
                }
            }
            return 0;
        } catch (IOException e) {
            return 0;
        }
    }

    private static boolean isInside(Path process, int inside, Path namespace) {
        try {
            // NSpid:	27978	59
            return Files.readAllLines(process.resolve("status")).stream()
                            .anyMatch(line -> line.startsWith("NSpid:") && line.endsWith("\t" + inside))
                    && Files.readSymbolicLink(process.resolve("ns/pid")).equals(namespace);
        } catch (IOException e) {
            // It has ended.
            return false;
        }
    }

    @Override
    public void close() {
        try {
            if (relay != null) {
                relay.close();
            }
            // timeout passes the signal on; the script ends the bed.
            process.destroy();
            process.waitFor();
            Bed.delete(directory);
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException("the bed's directory " + directory + " is left", e);
        }
    }
}
