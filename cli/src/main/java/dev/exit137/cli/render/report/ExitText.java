package dev.exit137.cli.render.report;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Durations;
import dev.exit137.cli.render.ExitLine;
import dev.exit137.cli.render.Text;
import dev.exit137.exitreport.words.ExitCodes;
import dev.exit137.exitreport.words.ExitWords;
import dev.exit137.oomreport.explain.Sizes;
import dev.exit137.proto.v1.AskedBy;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitSettings;
import dev.exit137.proto.v1.ProcessRef;
import dev.exit137.proto.v1.Sender;
import dev.exit137.proto.v1.StopRequest;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** One end on a page: what happened when, who did it, what the statement rests on, and what to do. */
public final class ExitText {
    private ExitText() {}

    /**
     * The lines of the page, without lines for unknown fields.
     *
     * @param restarted when it was started again; null if that is not known
     */
    public static List<String> page(ExitEvent event, @Nullable Instant restarted, ZoneId zone) {
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text);
        Page page = new Page(out);
        page.title(title(event, zone));
        page.paragraph(
                event.getExplanation().isEmpty()
                        ? ExitWords.subject(event) + " ended; no explanation came with the event."
                        : event.getExplanation());
        page.entry("cause", cause(event));
        page.entry("timeline", timeline(event, restarted, zone));
        page.entry("sender", sender(event));
        page.entry("asked by", askedBy(event.getAskedBy()));
        page.entry("kernel", event.getKernelPathCount() == 0 ? "" : String.join(" < ", event.getKernelPathList()));
        page.entry("then", secondary(event));
        page.parts("settings", settings(event.getSettings()));
        page.entry("image", event.getContainer().getImage());
        page.entry("evidence", evidence(event));
        page.list("missing", event.getEvidenceMissingList());
        page.list("OOMs", event.getOomEventIdsList());
        page.list("to do", event.getRecommendationsList());
        // Not wrapped, so that it can be copied.
        page.entry(
                "event",
                List.of(event.getEventId()
                        + (event.getRevision() > 1 ? " (revision " + event.getRevision() + ")" : "")));
        out.flush();
        return text.toString().lines().toList();
    }

    private static String title(ExitEvent event, ZoneId zone) {
        String node = event.getNode().getName();
        return ExitLine.where(event) + (node.isEmpty() ? "" : " on " + node) + ": ended "
                + ExitLine.time(event.getTime(), zone)
                + (event.hasExitCode() ? ", exit code " + event.getExitCode() : "");
    }

    /** {@code stop timeout: confirmed, two sources agree}. */
    private static String cause(ExitEvent event) {
        String certainty = switch (event.getCertainty()) {
            case CONFIRMED -> ": confirmed, independent sources agree";
            case SINGLE_SOURCE -> ": one source says so";
            case INFERRED -> ": inferred, no source says so; other causes fit, too";
            case CERTAINTY_UNSPECIFIED, UNRECOGNIZED -> "";
        };
        String cluster = event.getClusterCause() == ExitEvent.ClusterCause.CLUSTER_CAUSE_UNSPECIFIED
                ? ""
                : "; the cluster says: " + word(event.getClusterCause());
        return ExitLine.cause(event.getCause()) + certainty + cluster;
    }

    private static List<String> timeline(ExitEvent event, @Nullable Instant restarted, ZoneId zone) {
        List<String> lines = new ArrayList<>();
        if (event.hasStartedAt()) {
            lines.add(at(event.getStartedAt(), zone) + "started");
        }
        StopRequest stop = event.getStopRequest();
        boolean killed = event.getSignal() == 9 || event.getExitCode() == ExitCodes.SIGNAL_BASE + 9;
        if (event.hasStopRequest()) {
            lines.add((stop.hasTime() ? at(stop.getTime(), zone) : "") + "asked to end"
                    + (stop.getSignal() == 0 ? "" : " with " + ExitWords.signal(stop.getSignal()))
                    + (stop.hasGrace() ? ", with a grace period of " + span(stop.getGrace()) : "")
                    + (stop.getIgnored() ? "; it has no handler as process 1, so the kernel ignored the signal" : ""));
            if (killed && stop.hasWaited() && stop.hasTime()) {
                Instant kill = instant(stop.getTime()).plusNanos(Durations.toNanos(stop.getWaited()));
                lines.add(at(kill, zone) + "killed with SIGKILL, after " + span(stop.getWaited()));
            }
        }
        String how = event.hasSignal()
                ? " by " + ExitWords.signal(event.getSignal()) + (event.getCoreDumped() ? ", core dumped" : "")
                : "";
        lines.add(at(event.getTime(), zone) + "ended" + how
                + (event.hasExitCode() ? ", exit code " + event.getExitCode() : ""));
        if (restarted != null) {
            lines.add(at(restarted, zone) + "started again");
        }
        return lines;
    }

    private static String at(Timestamp time, ZoneId zone) {
        return ExitLine.time(time, zone) + "  ";
    }

    private static String at(Instant time, ZoneId zone) {
        return at(
                Timestamp.newBuilder()
                        .setSeconds(time.getEpochSecond())
                        .setNanos(time.getNano())
                        .build(),
                zone);
    }

    private static Instant instant(Timestamp time) {
        return Instant.ofEpochSecond(time.getSeconds(), time.getNanos());
    }

    private static String span(Duration span) {
        return ExitWords.span(java.time.Duration.ofNanos(Durations.toNanos(span)));
    }

    private static List<String> sender(ExitEvent event) {
        if (!event.hasSender()) {
            return List.of();
        }
        Sender sender = event.getSender();
        List<String> lines = new ArrayList<>();
        String comm = sender.getExe().isEmpty() || sender.getComm().isEmpty() ? "" : ", named " + sender.getComm();
        add(lines, ExitWords.sender(sender) + comm);
        add(lines, person(sender));
        add(lines, sender.getCmdline().isEmpty() ? "" : "command " + sender.getCmdline());
        String in = sender.getContainer().getId().isEmpty()
                ? sender.getUnit().isEmpty() ? "" : "unit " + sender.getUnit()
                : "container "
                        + (sender.getContainer().getName().isEmpty()
                                ? sender.getContainer().getId()
                                : sender.getContainer().getName());
        add(lines, in.isEmpty() ? "" : "in " + in);
        add(lines, sender.getCgroup().isEmpty() ? "" : "cgroup " + sender.getCgroup());
        add(
                lines,
                sender.getParentsList().stream()
                        .map(ExitText::process)
                        .collect(Collectors.joining(" < ", "child of ", ""))
                        .replaceFirst("^child of $", ""));
        return lines;
    }

    /** {@code uid 0, login uid 1000, /dev/pts/3}; empty where the aggregator withholds it. */
    private static String person(Sender sender) {
        return Stream.of(
                        sender.hasUid() ? "uid " + Integer.toUnsignedString(sender.getUid()) : "",
                        sender.hasLoginuid() ? "login uid " + Integer.toUnsignedString(sender.getLoginuid()) : "",
                        sender.getTty())
                .filter(part -> !part.isEmpty())
                .collect(Collectors.joining(", "));
    }

    private static void add(List<String> lines, String text) {
        if (!text.isEmpty()) {
            lines.addAll(Page.wrapBeside(0, text));
        }
    }

    private static String process(ProcessRef process) {
        return (process.getExe().isEmpty() ? process.getComm() : process.getExe())
                + (process.hasPid() ? "(" + Integer.toUnsignedString(process.getPid()) + ")" : "");
    }

    private static String askedBy(AskedBy asked) {
        String kind = switch (asked.getKind()) {
            case KUBELET -> "kubelet";
            case DOCKER_CLIENT -> "a client of Docker";
            case CONTAINERD_CLIENT -> "a client of containerd";
            case CRI_CLIENT -> "a client of the CRI (kubelet or crictl)";
            case SYSTEMD_JOB -> "a job of systemd";
            case SYSTEMD -> "systemd itself";
            case PERSON -> "a person";
            case PROGRAM -> "a program of the host";
            case KIND_UNSPECIFIED, UNRECOGNIZED -> "";
        };
        String detail =
                asked.getDetail().isEmpty() ? "" : kind.isEmpty() ? asked.getDetail() : ": " + asked.getDetail();
        String units = asked.getUnitsCount() == 0 ? "" : ", because of " + String.join(", then ", asked.getUnitsList());
        return kind + detail + units;
    }

    private static String secondary(ExitEvent event) {
        if (event.getSecondaryKillsCount() == 0) {
            return "";
        }
        long count = event.getSecondaryKillsCount() + Integer.toUnsignedLong(event.getSecondaryKillsOmitted());
        return Words.count(count, "more kill", "more kills") + " followed from it: "
                + event.getSecondaryKillsList().stream().map(ExitText::process).collect(Collectors.joining(", "))
                + (event.getSecondaryKillsOmitted() == 0 ? "" : ", …");
    }

    private static List<String> settings(ExitSettings settings) {
        List<String> parts = new ArrayList<>();
        if (settings.hasMemoryLimitBytes()) {
            parts.add(
                    Sizes.isLimit(settings.getMemoryLimitBytes())
                            ? "memory limit " + Sizes.text(settings.getMemoryLimitBytes())
                            : "no memory limit: the whole node is its limit");
        }
        if (settings.hasMemorySwapLimitBytes() && Sizes.isLimit(settings.getMemorySwapLimitBytes())) {
            parts.add("memory and swap " + Sizes.text(settings.getMemorySwapLimitBytes()));
        }
        if (!settings.getRestartPolicy().isEmpty()) {
            parts.add("restart " + settings.getRestartPolicy());
        }
        if (settings.hasStopGrace()) {
            parts.add("grace period " + span(settings.getStopGrace()));
        }
        if (settings.getOomKillDisabled()) {
            parts.add("OOM killer off");
        }
        if (settings.hasOomScoreAdj()) {
            parts.add("oom_score_adj " + settings.getOomScoreAdj());
        }
        if (!settings.getOomPolicy().isEmpty()) {
            parts.add("OOMPolicy " + settings.getOomPolicy());
        }
        if (!settings.getInitProgram().isEmpty()) {
            parts.add("process 1 is " + settings.getInitProgram());
        }
        return parts;
    }

    private static String evidence(ExitEvent event) {
        return event.getEvidenceList().stream()
                .map(source -> switch (source) {
                    case TRACE -> "the kernel's trace of signals";
                    case OOM_EVENT -> "the kernel's report of an OOM kill";
                    case DOCKER -> "Docker";
                    case CONTAINERD -> "containerd";
                    case CRI -> "the container runtime (CRI)";
                    case SYSTEMD -> "systemd's properties of the unit";
                    case JOURNAL -> "systemd's lines in the journal";
                    case KMSG -> "the kernel's log";
                    case PROC -> "/proc";
                    case CONTAINERD_LOG -> "containerd's log";
                    case EVIDENCE_UNSPECIFIED, UNRECOGNIZED -> "a source that this version does not know";
                })
                .collect(Collectors.joining(", "));
    }

    private static String word(Enum<?> value) {
        return Text.printable(value.name().toLowerCase(Locale.ROOT).replace('_', ' '));
    }
}
