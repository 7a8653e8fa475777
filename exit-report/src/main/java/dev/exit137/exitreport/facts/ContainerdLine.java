package dev.exit137.exitreport.facts;

import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A line of containerd's log, as logrus writes it, as text or as JSON (containerd 1.4 to 2.1, internal/cri/instrument and
 * internal/cri/server/container_stop.go):
 *
 * <pre>{@code
 * time="2026-11-30T02:09:17.303717834Z" level=info msg="StopContainer for \"4f0c…\" with timeout 1 (s)"
 * time="2026-11-30T02:09:17.304500120Z" level=info msg="Stop container \"4f0c…\" with signal terminated"
 * time="2026-11-30T02:09:18.305811327Z" level=info msg="Kill container \"4f0c…\""
 * }</pre>
 *
 * <p>containerd quotes whatever a client or a container says, so that only its own words can stand at the begin of a
 * message.
 *
 * @param time containerd's
 * @param kind OTHER for a line that says nothing about an end
 * @param id of the container, of the sandbox for STOP_POD; empty for OTHER
 * @param grace of STOP; null otherwise, and for a nonsensical one
 * @param signal of SIGNAL and KILL; null otherwise, and for an unknown one
 */
public record ContainerdLine(
        Instant time,
        Kind kind,
        String id,
        @Nullable Duration grace,
        @Nullable Integer signal) {
    /** What a line says. */
    public enum Kind {
        /** A client of the CRI stops a container. */
        STOP,
        /** containerd sends the signal that the image or the pod names for a stop. */
        SIGNAL,
        /** containerd sends SIGKILL. */
        KILL,
        /** A client of the CRI stops a pod. */
        STOP_POD,
        /** A client of the CRI removes a container that still runs. */
        REMOVE,
        /** Something else. */
        OTHER
    }

    private static final Pattern TEXT =
            Pattern.compile("time=\"([^\"]{20,40})\" level=info msg=\"((?:[^\"\\\\]|\\\\.){1,1024}+)\".*");
    private static final Pattern JSON_MESSAGE = Pattern.compile("\"msg\":\"((?:[^\"\\\\]|\\\\.){1,1024}+)\"");
    private static final Pattern JSON_TIME = Pattern.compile("\"time\":\"([^\"]{20,40})\"");
    private static final String JSON_LEVEL = "\"level\":\"info\"";

    private static final String ID = "\"([0-9a-f]{64})\"";
    private static final Pattern STOP =
            Pattern.compile("StopContainer for " + ID + " with timeout (-?[0-9]{1,18}) \\(s\\)");
    private static final Pattern SIGNAL = Pattern.compile("Stop container " + ID + " with signal (.{1,32})");
    private static final Pattern KILL = Pattern.compile("Kill container " + ID);
    private static final Pattern STOP_POD = Pattern.compile("StopPodSandbox for " + ID);
    private static final Pattern REMOVE = Pattern.compile("Forcibly stopping container " + ID);

    /** Longer than any grace period that is meant: ten years. */
    private static final long MAX_GRACE_SECONDS = 10L * 365 * 24 * 3600;

    private static final int SIGKILL = 9;
    /** As Go prints a signal (syscall.Signal.String, zerrors_linux_amd64.go). */
    private static final Map<String, Integer> SIGNALS = Map.ofEntries(
            Map.entry("hangup", 1),
            Map.entry("interrupt", 2),
            Map.entry("quit", 3),
            Map.entry("aborted", 6),
            Map.entry("killed", SIGKILL),
            Map.entry("user defined signal 1", 10),
            Map.entry("user defined signal 2", 12),
            Map.entry("terminated", 15),
            Map.entry("window changed", 28));

    private static final String NUMBERED = "signal ";

    /** Reads a line; empty if it is not an informational one of logrus. */
    public static Optional<ContainerdLine> of(String line) {
        if (line.startsWith("{")) {
            Matcher message = JSON_MESSAGE.matcher(line);
            Matcher time = JSON_TIME.matcher(line);
            return line.contains(JSON_LEVEL) && message.find() && time.find()
                    ? of(time.group(1), message.group(1))
                    : Optional.empty();
        }
        Matcher text = TEXT.matcher(line);
        return text.matches() ? of(text.group(1), text.group(2)) : Optional.empty();
    }

    private static Optional<ContainerdLine> of(String time, String quoted) {
        Instant at;
        try {
            at = OffsetDateTime.parse(time).toInstant();
        } catch (DateTimeException e) {
            return Optional.empty();
        }
        String message = quoted.replace("\\\"", "\"");
        Matcher stop = STOP.matcher(message);
        if (stop.matches()) {
            return Optional.of(
                    new ContainerdLine(at, Kind.STOP, stop.group(1), grace(Long.parseLong(stop.group(2))), null));
        }
        Matcher signal = SIGNAL.matcher(message);
        if (signal.matches()) {
            return Optional.of(new ContainerdLine(at, Kind.SIGNAL, signal.group(1), null, signal(signal.group(2))));
        }
        Matcher kill = KILL.matcher(message);
        if (kill.matches()) {
            return Optional.of(new ContainerdLine(at, Kind.KILL, kill.group(1), null, SIGKILL));
        }
        Matcher pod = STOP_POD.matcher(message);
        if (pod.matches()) {
            return Optional.of(new ContainerdLine(at, Kind.STOP_POD, pod.group(1), null, null));
        }
        Matcher remove = REMOVE.matcher(message);
        if (remove.matches()) {
            return Optional.of(new ContainerdLine(at, Kind.REMOVE, remove.group(1), null, null));
        }
        return Optional.of(new ContainerdLine(at, Kind.OTHER, "", null, null));
    }

    /** containerd takes a negative timeout as none. */
    private static @Nullable Duration grace(long seconds) {
        return seconds > MAX_GRACE_SECONDS ? null : Duration.ofSeconds(Math.max(0, seconds));
    }

    private static @Nullable Integer signal(String words) {
        if (!words.startsWith(NUMBERED)) {
            return SIGNALS.get(words);
        }
        String number = words.substring(NUMBERED.length());
        return number.matches("[0-9]{1,2}") ? Integer.valueOf(number) : null;
    }
}
