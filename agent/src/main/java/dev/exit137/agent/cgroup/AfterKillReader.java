package dev.exit137.agent.cgroup;

import dev.exit137.agent.linux.FileReader;
import dev.exit137.agent.linux.NativeMemory;
import dev.exit137.agent.linux.Sys;
import dev.exit137.proto.v1.AfterKill;
import dev.exit137.proto.v1.Limit;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Reads a cgroup's memory files right after a kill, as raw bytes. The cgroup can be gone in milliseconds, so another
 * thread parses them later. The agent-epoll thread reads.
 */
public final class AfterKillReader {
    private static final List<String> V2_FILES = List.of(
            "memory.current",
            "memory.peak",
            "memory.max",
            "memory.high",
            "memory.swap.current",
            "memory.swap.max",
            "memory.oom.group",
            "memory.events",
            "memory.events.local",
            "memory.stat",
            "memory.pressure");
    private static final List<String> V1_FILES = List.of(
            "memory.usage_in_bytes",
            "memory.max_usage_in_bytes",
            "memory.limit_in_bytes",
            "memory.oom_control",
            "memory.stat");
    /** 2^64-1 means `max`, no limit. */
    private static final long UNLIMITED = -1L;

    /** v1 writes "no limit" as the largest page-aligned number (PAGE_COUNTER_MAX pages). */
    static final long V1_UNLIMITED_FROM = Long.MAX_VALUE - (64 << 10);

    /**
     * The files as read.
     *
     * @param readAfterKillNanos from the kill to the reading; null if no record has the time of the kill
     */
    public record Raw(@Nullable Long readAfterKillNanos, List<RawFile> files) {}

    record RawFile(String name, byte[] content) {}

    private final FileReader reader = new FileReader(64 * 1024);
    private final List<String> names;
    private final List<NativeMemory> nativeNames;
    private final boolean v2;
    private final NativeMemory limitName;
    private final NativeMemory swapLimitName;
    private final NativeMemory usageName;
    private final NativeMemory peakName;

    /** @param v2 whether the memory controller is that of cgroup v2 */
    public AfterKillReader(boolean v2) {
        names = v2 ? V2_FILES : V1_FILES;
        nativeNames = names.stream().map(Sys::nativeString).toList();
        this.v2 = v2;
        limitName = Sys.nativeString(v2 ? "memory.max" : "memory.limit_in_bytes");
        swapLimitName = Sys.nativeString(v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes");
        usageName = Sys.nativeString(v2 ? "memory.current" : "memory.usage_in_bytes");
        peakName = Sys.nativeString(v2 ? "memory.peak" : "memory.max_usage_in_bytes");
    }

    /**
     * The cgroup's files as they are now; empty where none can be read any more.
     *
     * @param nanosSinceKill null if no record has the time of the kill
     */
    public Optional<Raw> read(Cgroup cgroup, @Nullable Long nanosSinceKill) {
        if (cgroup.isRemoved()) {
            return Optional.empty();
        }
        List<RawFile> files = new ArrayList<>(names.size());
        for (int i = 0; i < names.size(); i++) {
            if (reader.read(cgroup.dirFd(), nativeNames.get(i)) > 0) {
                files.add(new RawFile(names.get(i), reader.copy()));
            }
        }
        return files.isEmpty() ? Optional.empty() : Optional.of(new Raw(nanosSinceKill, files));
    }

    /** Sets the cgroup's own limits, as far as they can be read. */
    public void readLimits(Cgroup cgroup, Limit.Builder limit) {
        // The limit was hit: where the file shows none, it was removed since.
        limitBytes(cgroup).ifPresent(limit::setLimitBytes);
        readBytes(cgroup, swapLimitName)
                .ifPresent(bytes -> limit.setSwapLimitBytes(bytes).setSwapIncludesMemory(!v2));
    }

    /** The cgroup's own limit; empty where it has none, or where it cannot be read. */
    OptionalLong limitBytes(Cgroup cgroup) {
        OptionalLong bytes = readBytes(cgroup, limitName);
        return bytes.isPresent() && bytes.getAsLong() == UNLIMITED ? OptionalLong.empty() : bytes;
    }

    /**
     * The cgroup's usage at the kill: what it is now and what the victim held, and no more than it ever was. 0 where it
     * cannot be read. Before Linux 5.19 v2 has no peak.
     */
    long usageAtKillBytes(Cgroup cgroup, long victimBytes) {
        OptionalLong now = readBytes(cgroup, usageName);
        return now.isEmpty()
                ? 0
                : Math.min(
                        now.getAsLong() + victimBytes,
                        readBytes(cgroup, peakName).orElse(Long.MAX_VALUE));
    }

    private OptionalLong readBytes(Cgroup cgroup, NativeMemory name) {
        return cgroup.isRemoved() || reader.read(cgroup.dirFd(), name) <= 0
                ? OptionalLong.empty()
                : bytesOrMax(text(reader.copy()));
    }

    /** Parses the files that were read. Any thread. */
    public static AfterKill parse(Raw raw) {
        AfterKill.Builder result = AfterKill.newBuilder();
        if (raw.readAfterKillNanos() != null) {
            result.setReadAfterKillNanos(raw.readAfterKillNanos());
        }
        for (RawFile file : raw.files()) {
            String text = text(file.content());
            switch (file.name()) {
                case "memory.current", "memory.usage_in_bytes" ->
                    bytesOrMax(text).ifPresent(result::setCurrentBytes);
                case "memory.peak", "memory.max_usage_in_bytes" ->
                    bytesOrMax(text).ifPresent(result::setPeakBytes);
                case "memory.max", "memory.limit_in_bytes" -> bytesOrMax(text).ifPresent(result::setMaxBytes);
                case "memory.high" -> bytesOrMax(text).ifPresent(result::setHighBytes);
                case "memory.swap.current" -> bytesOrMax(text).ifPresent(result::setSwapCurrentBytes);
                case "memory.swap.max" -> bytesOrMax(text).ifPresent(result::setSwapMaxBytes);
                case "memory.oom.group" -> result.setOomGroup(text.equals("1"));
                case "memory.stat" -> keyed(text, result::putStat);
                case "memory.events" -> keyed(text, result::putEvents);
                case "memory.events.local", "memory.oom_control" -> keyed(text, result::putEventsLocal);
                case "memory.pressure" -> text.lines().forEach(result::addPressure);
                default -> throw new IllegalArgumentException(file.name());
            }
        }
        return result.build();
    }

    private static String text(byte[] content) {
        return new String(content, StandardCharsets.US_ASCII).strip();
    }

    private static OptionalLong bytesOrMax(String text) {
        if (text.equals("max")) {
            return OptionalLong.of(UNLIMITED);
        }
        if (!isNumber(text)) {
            return OptionalLong.empty();
        }
        long value = Long.parseUnsignedLong(text);
        return OptionalLong.of(value >= V1_UNLIMITED_FROM ? UNLIMITED : value);
    }

    private interface KeyedSink {
        Object put(String key, long value);
    }

    private static void keyed(String text, KeyedSink sink) {
        text.lines().forEach(line -> {
            int space = line.indexOf(' ');
            if (space > 0 && isNumber(line.substring(space + 1))) {
                sink.put(line.substring(0, space), Long.parseUnsignedLong(line.substring(space + 1)));
            }
        });
    }

    private static boolean isNumber(String text) {
        return text.matches("[0-9]{1,19}|1[0-8][0-9]{18}");
    }
}
