package dev.exit137.agent.container;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.ContainerdLine;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ContainerdLogTest {
    private static final String ID = "beef".repeat(16);
    private static final Instant NOW = Instant.parse("2001-02-03T04:05:06Z");

    @TempDir
    private Path directory;

    private final List<ContainerdLine> requests = new ArrayList<>();
    private ContainerdLog log;

    private void open(String where) {
        log = new ContainerdLog(
                where,
                directory.resolve("proc"),
                NOW,
                requests::add,
                new Plausible(InstantSource.fixed(NOW)),
                Runnable::run,
                new Guard());
        log.tick();
    }

    private Path file() {
        return directory.resolve("containerd.log");
    }

    private static void write(Path file, Instant time, String message) throws IOException {
        Files.writeString(
                file,
                "time=\"" + time.plusNanos(1) + "\" level=info msg=\"" + message.replace("\"", "\\\"") + "\"\n",
                StandardOpenOption.CREATE,
                StandardOpenOption.APPEND);
    }

    @AfterEach
    void close() {
        log.close();
    }

    @Test
    void requestsAreHandedOnAndAnEndAfterTheFirstLineIsCovered() throws IOException {
        write(file(), NOW.minusSeconds(60), "starting containerd");
        open(file().toString());
        assertThat(log.missing(NOW)).isEmpty();
        assertThat(log.missing(NOW.minusSeconds(61))).endsWith("begins after this end");
        write(file(), NOW, "Kill container \"" + ID + "\"");
        log.readNow();
        assertThat(requests).extracting(ContainerdLine::id).containsExactly(ID);
        assertThat(log.status())
                .hasValueSatisfying(status -> assertThat(status.getState()).isEqualTo(State.ACTIVE));
    }

    /** The level {@code warn} has no requests: silence then says nothing. */
    @Test
    void aLogWithoutAnyInformationIsNoLog() throws IOException {
        Files.writeString(file(), "time=\"" + NOW.plusNanos(1) + "\" level=warning msg=\"x\"\n");
        open(file().toString());
        assertThat(log.missing(NOW)).endsWith("has no informational line of containerd");
        assertThat(log.status())
                .hasValueSatisfying(status -> assertThat(status.getState()).isEqualTo(State.UNAVAILABLE));
    }

    @Test
    void aLineOfTheFutureIsCountedAndNotBelieved() throws IOException {
        write(file(), NOW, "starting containerd");
        write(file(), NOW.plusSeconds(3600), "Kill container \"" + ID + "\"");
        open(file().toString());
        assertThat(requests).isEmpty();
        assertThat(log.status())
                .hasValueSatisfying(status -> assertThat(status.getDetail()).contains("1 lines had a time"));
    }

    @Test
    void aFileOfTheHostIsFoundFromWithinAContainer() throws IOException {
        Path hosts = directory.resolve("proc/1/root").resolve(Path.of("/").relativize(file()));
        Files.createDirectories(hosts.getParent());
        write(hosts, NOW.minusSeconds(1), "starting containerd");
        open(file().toString());
        assertThat(log.missing(NOW)).isEmpty();
    }

    @Test
    void autoFindsTheFileOfK3s() throws IOException {
        Path hosts = directory.resolve("proc/1/root/var/lib/rancher/k3s/agent/containerd/containerd.log");
        Files.createDirectories(hosts.getParent());
        write(hosts, NOW.minusSeconds(1), "starting containerd");
        open(ContainerdLog.AUTO);
        assertThat(log.missing(NOW)).isEmpty();
    }

    @Test
    void aFileThatIsNotThereIsNamedWithItsFlagAndOffIsNoFault() {
        open(file().toString());
        assertThat(log.missing(NOW)).contains(file().toString(), "--containerd-log");
        log.close();
        open(ContainerdLog.OFF);
        assertThat(log.missing(NOW)).contains("--containerd-log=off");
        assertThat(log.status()).isEmpty();
    }
}
