package dev.exit137.cli.local;

import com.google.protobuf.Timestamp;
import dev.exit137.cli.options.StateDirectory;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.Node;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;

/**
 * This machine, by its /proc.
 *
 * @param proc normally {@code /proc}
 */
public record Host(Path proc, InstantSource clock) {
    /** Name, boot and kernel, as far as they can be read. */
    Node node() {
        return Node.newBuilder()
                .setName(read("sys/kernel/hostname"))
                .setBootId(read("sys/kernel/random/boot_id"))
                .setKernelRelease(read("sys/kernel/osrelease"))
                .build();
    }

    /** When it was started; empty if that is not known. */
    Optional<Instant> booted() {
        String uptime = read("uptime").split(" ", 2)[0];
        return uptime.matches("\\d+(\\.\\d+)?")
                ? Optional.of(clock.instant().minus(Duration.ofMillis((long) (Double.parseDouble(uptime) * 1000))))
                : Optional.empty();
    }

    /** The first line of a file of a process, or of the kernel; empty if it cannot be read. */
    String read(String file) {
        try {
            return Files.readString(proc.resolve(file)).strip();
        } catch (IOException e) {
            return "";
        }
    }

    /** The beginning of an event of this machine that was found after the fact. */
    ExitEvent.Builder event(String subject, String id, Instant ended) {
        Node node = node();
        Timestamp time = EventFactory.timestamp(ended);
        return ExitEvent.newBuilder()
                .setEventId(node.getBootId() + "/exit/" + subject + "/" + id + "/" + ended.toEpochMilli())
                .setRevision(1)
                .setTime(time)
                .setEndedAt(time)
                .setObservedTime(EventFactory.timestamp(clock.instant()))
                .setRecovered(true)
                .setNode(node);
    }

    /** Whether this process may read what only root may. */
    static boolean isRoot() {
        return StateDirectory.isRoot();
    }

    /** The timestamp as an instant. */
    static Instant instant(Timestamp time) {
        return Instant.ofEpochSecond(time.getSeconds(), time.getNanos());
    }
}
