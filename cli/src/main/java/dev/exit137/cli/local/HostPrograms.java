package dev.exit137.cli.local;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The host's own programs, by PATH. Each has a bounded time, and its output a bounded size. */
public final class HostPrograms implements Programs {
    private static final String USUAL_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";
    private static final int MAX_OUTPUT_BYTES = 32 << 20;

    private final Map<String, String> environment;
    private final Duration timeout;

    /** @param environment PATH is of it */
    public HostPrograms(Map<String, String> environment, Duration timeout) {
        this.environment = environment;
        this.timeout = timeout;
    }

    @Override
    public Output run(String... command) throws IOException {
        String[] resolved = command.clone();
        resolved[0] = resolve(command[0]).toString();
        ProcessBuilder builder = new ProcessBuilder(resolved);
        // Words and times in one language; no pager.
        builder.environment().put("LC_ALL", "C");
        builder.environment().put("SYSTEMD_PAGER", "");
        builder.redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()));
        Process process = builder.start();
        try {
            FutureTask<String> out = reading(process.getInputStream());
            FutureTask<String> err = reading(process.getErrorStream());
            String printed = out.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
            String error = err.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
            if (!process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new TimeoutException();
            }
            return new Output(
                    process.exitValue(), printed, error.lines().findFirst().orElse(""));
        } catch (TimeoutException e) {
            throw new IOException(command[0] + " did not end within " + timeout.toSeconds() + " s", e);
        } catch (ExecutionException e) {
            throw new IOException(command[0] + " cannot be read: " + e.getCause(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException(command[0] + " was interrupted");
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
    }

    private Path resolve(String name) throws IOException {
        return Arrays.stream(environment.getOrDefault("PATH", USUAL_PATH).split(":", 0))
                .filter(directory -> !directory.isEmpty())
                .map(directory -> Path.of(directory, name))
                .filter(Files::isExecutable)
                .findFirst()
                .orElseThrow(() -> new IOException(name + " is not installed"));
    }

    private static FutureTask<String> reading(InputStream in) {
        FutureTask<String> task = new FutureTask<>(() -> {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            byte[] buffer = new byte[1 << 16];
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                bytes.write(buffer, 0, Math.min(count, MAX_OUTPUT_BYTES - bytes.size()));
            }
            return bytes.toString(StandardCharsets.UTF_8);
        });
        Thread.ofPlatform().name("exit137-program").daemon().start(task);
        return task;
    }
}
