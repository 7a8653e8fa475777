package dev.exit137.cli.render;

import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.Pod;
import dev.exit137.proto.v1.ProcessRef;
import java.time.Instant;
import java.time.ZoneId;
import java.util.Locale;

/** One end on one line, in columns: time, node, what ended, exit code, cause. */
public final class ExitLine {
    private static final String COLUMNS = "%-23s  %-12s  %-30s  %4s  %s";
    private static final int SHORT_ID_LENGTH = 12;

    private ExitLine() {}

    /** The names of the columns; the one of the times has their offset from UTC. */
    static String header(ZoneId zone, Instant time) {
        return String.format(
                Locale.ROOT, COLUMNS, "TIME (" + Text.offset(zone, time) + ")", "NODE", "WHERE", "CODE", "CAUSE");
    }

    static String of(ExitEvent event, ZoneId zone) {
        StringBuilder line = new StringBuilder(String.format(
                Locale.ROOT,
                COLUMNS,
                Text.time(event.getTime(), zone),
                Text.printable(event.getNode().getName()),
                where(event),
                code(event),
                cause(event.getCause())));
        if (event.getCertainty() == ExitEvent.Certainty.INFERRED) {
            line.append(" (inferred)");
        }
        if (event.getRecovered()) {
            line.append("  [recovered]");
        }
        if (event.getRevision() > 1) {
            line.append("  [revision ").append(event.getRevision()).append(']');
        }
        return line.toString();
    }

    /** The most familiar name of what ended: pod and container, else container, unit or process. */
    public static String where(ExitEvent event) {
        Container container = event.getContainer();
        Pod pod = container.getPod();
        String name = container.getName().isEmpty() ? shortId(container.getId()) : container.getName();
        if (!pod.getName().isEmpty()) {
            return Text.printable(pod.getNamespace() + "/" + pod.getName() + (name.isEmpty() ? "" : "/" + name));
        }
        if (!pod.getUid().isEmpty()) {
            return Text.printable("pod " + pod.getUid() + (name.isEmpty() ? "" : "/" + name));
        }
        if (!name.isEmpty()) {
            return Text.printable((container.getRuntime() + " " + name).strip());
        }
        if (event.getSubject() != ExitEvent.Subject.PROCESS && !event.getUnit().isEmpty()) {
            return Text.printable(event.getUnit());
        }
        return process(event.getProcess());
    }

    /** {@code java(4242)}, as far as it is known. */
    public static String process(ProcessRef process) {
        return (process.getComm().isEmpty() ? "?" : Text.printable(process.getComm()))
                + (process.hasPid() ? "(" + Integer.toUnsignedString(process.getPid()) + ")" : "");
    }

    /** The exit code; a dash if it is not known. */
    static String code(ExitEvent event) {
        return event.hasExitCode() ? Integer.toUnsignedString(event.getExitCode()) : "-";
    }

    /** {@code stop timeout}. */
    public static String cause(ExitEvent.Cause cause) {
        return cause.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }

    /** The time of the end. */
    public static String time(Timestamp time, ZoneId zone) {
        return Text.time(time, zone);
    }

    private static String shortId(String id) {
        return id.length() > SHORT_ID_LENGTH ? id.substring(0, SHORT_ID_LENGTH) : id;
    }
}
