package dev.exit137.nativetest;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.junit.jupiter.api.Assumptions;

/** Common parts of all beds: directories, programs with a time limit, and a skip with its reason. */
final class Bed {
    /** The module's directory; Surefire sets the property. */
    static final Path MODULE =
            Path.of(System.getProperty("basedir", "")).toAbsolutePath().normalize();
    /** The repository's top level. */
    static final Path REPOSITORY = MODULE.getParent();
    /** Directory of all files that the beds make. */
    static final Path WORK =
            Path.of(System.getProperty("bed.work", MODULE.resolve("target/bed").toString()));

    private static final long PROBE_NANOS = 20_000_000;

    private Bed() {}

    /** Returns the launcher of the product. A missing launcher is a failure: the tests are for the build's result. */
    static String exit137() {
        Path launcher = REPOSITORY.resolve("bin/exit137");
        if (!Files.isExecutable(launcher)) {
            throw new IllegalStateException("no executable " + launcher + ": run `make build` first");
        }
        return launcher.toString();
    }

    /** Skips the calling test, or its whole class from {@code @BeforeAll}, with its reason in one line of output. */
    static void skip(String bed, String reason) {
        System.out.println("SKIPPED " + bed + ": " + reason);
        Assumptions.abort(reason);
    }

    /** Returns the program on PATH. */
    static Optional<Path> find(String program) {
        return Arrays.stream(System.getenv().getOrDefault("PATH", "").split(":"))
                .map(directory -> Path.of(directory, program))
                .filter(Files::isExecutable)
                .findFirst();
    }

    /** Returns an empty directory below {@link #WORK}; files of an earlier run are deleted. */
    static Path freshDirectory(String name) {
        Path directory = WORK.resolve(name);
        try {
            delete(directory);
            return Files.createDirectories(directory);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot make " + directory + " afresh", e);
        }
    }

    /** Deletes the file or directory with its content, if it exists. */
    static void delete(Path directory) throws IOException {
        if (Files.exists(directory)) {
            try (var tree = Files.walk(directory)) {
                for (Path path : tree.toList().reversed()) {
                    Files.delete(path);
                }
            }
        }
    }

    /**
     * Waits for the effect of other processes.
     *
     * @return the first value of {@code probe} that {@code condition} holds for
     * @throws AssertionError if there was none within {@code limit}
     */
    static <T> T await(String what, Duration limit, Supplier<T> probe, Predicate<T> condition) {
        long begin = System.nanoTime();
        while (true) {
            T value = probe.get();
            if (condition.test(value)) {
                return value;
            }
            if (System.nanoTime() - begin > limit.toNanos()) {
                throw new AssertionError(what + " did not come within " + limit + "; last seen: " + value);
            }
            LockSupport.parkNanos(PROBE_NANOS);
        }
    }

    /** A process that has ended: its exit status, and the files of its output. */
    record Finished(int status, Path out, Path err) {
        List<String> outLines() {
            return lines(out);
        }

        String errText() {
            return String.join("\n", lines(err));
        }
    }

    /**
     * Runs a program to its end.
     *
     * @param name of the two files with its output, in {@code directory}
     * @throws AssertionError if it took longer than {@code limit}; it and its children are killed then
     */
    static Finished run(Path directory, String name, Duration limit, ProcessBuilder builder) {
        Path out = directory.resolve(name + ".out");
        Path err = directory.resolve(name + ".err");
        try {
            Process process = builder.redirectInput(Path.of("/dev/null").toFile())
                    .redirectOutput(out.toFile())
                    .redirectError(err.toFile())
                    .start();
            if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
                end(process);
                throw new AssertionError(
                        builder.command() + " did not end within " + limit + "; see " + out + " and " + err);
            }
            return new Finished(process.exitValue(), out, err);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot run " + builder.command(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while running " + builder.command(), e);
        }
    }

    /** Builds the programs of src/main/c. @return their directory */
    static synchronized Path buildTools() {
        var make = new ProcessBuilder("make", "-C", MODULE.resolve("src/main/c").toString(), "OUT=" + WORK);
        Finished built = run(freshDirectory("make"), "make", Duration.ofMinutes(1), make);
        if (built.status() != 0) {
            throw new AssertionError("cannot build the scenarios: " + built.errText());
        }
        return WORK;
    }

    /** Kills the process and all of its descendants, and waits until it is gone. */
    static void end(Process process) throws InterruptedException {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly().waitFor();
    }

    /** Lets the process go on that reads from this fifo; waits for that reader. */
    static void openGate(Path fifo) {
        try {
            Files.writeString(fifo, "go\n", UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Closes each part that is not null, in this order, even if one fails. */
    static void close(AutoCloseable... all) {
        IllegalStateException failure = new IllegalStateException("the bed is not cleaned up");
        for (AutoCloseable one : all) {
            try {
                if (one != null) {
                    one.close();
                }
            } catch (Exception | AssertionError e) {
                failure.addSuppressed(e);
            }
        }
        if (failure.getSuppressed().length > 0) {
            throw failure;
        }
    }

    /**
     * Returns all lines of a file; none if it does not exist. A console may print bytes that are not UTF-8: that is no
     * error.
     */
    static List<String> lines(Path file) {
        try {
            return Files.exists(file)
                    ? new String(Files.readAllBytes(file), UTF_8).lines().toList()
                    : List.of();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file, e);
        }
    }
}
