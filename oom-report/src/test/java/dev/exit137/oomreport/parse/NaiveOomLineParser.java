package dev.exit137.oomreport.parse;

import dev.exit137.oomreport.parse.OomLine.Kind;
import dev.exit137.oomreport.parse.OomLine.Wording;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The parser as one writes it with strings and regular expressions: slow, and easy to believe. Does not know how large
 * a number may be.
 */
final class NaiveOomLineParser {
    private static final int COMM = 15;
    private static final int NAME = 256;
    private static final int PATH = 4096;

    private static final String ADJ = "-?0*(?:1000|\\d{1,3})(?!\\d)";
    private static final Pattern ESCAPE = regex("\\\\x([0-9a-fA-F]{2})");
    private static final Pattern PREFIX = regex("\\d+,\\d+,\\d+(?:,[^;\n]*)?;");
    private static final String NODES = "(?:[0-9-]|,(?=\\d))*+";
    private static final Pattern INVOKED = regex("(?:|: gfp_mask=([^,]*)"
            + "(?:, nodemask=(?:\\(null\\)|(" + NODES + ")))?, {1,2}order=(-?\\d+)"
            + "(?:, oomkilladj=" + ADJ + "|(?:, oom_adj=" + ADJ + ")?, oom_score_adj=(" + ADJ + ")|, oom_adj=" + ADJ
            + "))");
    private static final Pattern CPUSET_LINE = regex("(.*?) cpuset=(.*) mems_allowed=([0-9,-]*)");
    private static final Pattern CPU = regex("CPU: (\\d+)(?: UID: (\\d+))? PID: (\\d+) Comm: (.*)");
    private static final Pattern PID = regex("Pid: (\\d+), comm: (.*)");
    private static final Pattern USAGE =
            regex("(memory|swap|memory\\+swap|kmem): usage (\\d+)kB(?:, limit (\\d+)kB)?(?:, failcnt (\\d+))?.*");
    private static final Pattern TASK_IN = regex("Task in (.*?) killed as a result of limit of (.*)");
    private static final Pattern LIMIT_REACHED = regex("Memory limit reached of cgroup (.*)");
    private static final Pattern STATS = regex("Memory cgroup stats for (?:(.*): cache:.*|(.*):)");
    private static final Pattern SUMMARY = regex("oom-kill:constraint=(.*?),nodemask=(.*)");
    private static final Pattern SUMMARY_END = regex("(.*),pid=(\\d+),uid=(\\d+)");
    private static final Pattern NODEMASK = regex("(?:\\(null\\)|(" + NODES + "))(.*)");
    private static final Pattern CPUSET =
            regex(",cpuset=(.*?),mems_allowed=(" + NODES + ")(|,(?:global_oom|oom_memcg=).*)");
    private static final Pattern OUT_OF_MEMORY = regex("(Out of [mM]emory|out of memory|Memory cgroup out of memory"
            + "|No available memory (?:in cpuset|\\(MPOL_BIND\\)))(?:( and no killable processes.*)|.*?: (.*))");
    private static final Pattern KILLED = regex("Killed process (\\d+)(?:, UID (\\d+),)? \\((.*)");
    private static final Pattern KILLED_TAIL = regex("(?:, UID \\d+,)? (?:total-vm|vsz):\\d+kB, anon-rss:");
    private static final Pattern SIZES = regex("(?:, UID (\\d+),)?(?: (?:total-vm|vsz):(\\d+)kB)?"
            + "(?:, anon-rss:(?:(\\d+)kB)?)?(?:, file-rss:(\\d+)kB)?(?:, shmem-rss:(\\d+)kB)?"
            + "(?:, UID:(\\d+))?(?: pgtables:(\\d+)kB)?(?: oom_score_adj:(" + ADJ + "))?.*");
    private static final Pattern CHOSEN = regex("[Kk]ill process (\\d+) \\((.*)\\) score (?:(\\d+) )?.*");
    private static final Pattern EXITING = regex("OOM victim (\\d+) \\((.*)\\) is already exiting.*");
    private static final Pattern REAPED = regex("oom_reaper: reaped process (\\d+) \\((.*?)(?=\\), now anon-rss:)\\)"
            + "(?:, now anon-rss:(\\d+)kB(?:, file-rss:(\\d+)kB)?(?:, shmem-rss:(\\d+)kB)?)?.*");
    private static final Pattern SUPPRESSED = regex("(?:oom_kill_process|dump_header): (\\d+) callbacks suppressed.*");
    private static final Pattern GROUP_KILL =
            regex("Tasks in (.*) are going to be killed due to memory\\.oom\\.group set");
    private static final Pattern PANIC = regex("Kernel panic - not syncing: (?:System is deadlocked on memory.*"
            + "|(?:Out of [mM]emory|out of memory)(?= and no killable processes|.*panic_on_oom)(.*))");

    private final Map<String, Object> fields = new TreeMap<>();

    private NaiveOomLineParser() {}

    private static Pattern regex(String regex) {
        return Pattern.compile(regex, Pattern.DOTALL);
    }

    /** Whether no number of the text is larger than this one knows that it may be: ten digits, or a limit's nineteen. */
    static boolean knowsTheNumbersOf(String text) {
        int digits = 0;
        for (int i = 0; i < text.length(); i++) {
            digits = Character.isDigit(text.charAt(i)) ? digits + 1 : 0;
            if (digits == 10 && !text.startsWith("limit ", i - 15) || digits == 19) {
                return false;
            }
        }
        return true;
    }

    /** What {@link Fields#parse(byte[])} gives. */
    static Map<String, Object> parse(byte[] record) {
        NaiveOomLineParser parser = new NaiveOomLineParser();
        String text = new String(record, StandardCharsets.ISO_8859_1);
        Matcher prefix = PREFIX.matcher(text);
        boolean valid = text.endsWith("\n") && prefix.lookingAt();
        int newline = valid ? text.indexOf('\n', prefix.end()) : -1;
        boolean hasDictionary = newline < text.length() - 1;
        parser.fields.put(
                "kind", valid ? parser.kind(text.substring(prefix.end(), newline), hasDictionary) : Kind.NONE);
        return parser.fields.get("kind") == Kind.NONE ? Map.of("kind", Kind.NONE) : parser.fields;
    }

    private Kind kind(String untrimmed, boolean hasDictionary) {
        String message = untrimmed;
        while (!message.isEmpty() && " \t\r".indexOf(message.charAt(message.length() - 1)) >= 0) {
            message = message.substring(0, message.length() - 1);
        }
        if (!hasDictionary && invoked(message)) {
            return Kind.INVOKED;
        } else if (!hasDictionary && cpusetLine(message)) {
            return Kind.CPUSET;
        }
        MatchResult match;
        if ((match = match(CPU, message)) != null) {
            number("cpu", match.group(1));
            number("uid", match.group(2));
            return triggerCpu(match.group(3), match.group(4));
        } else if ((match = match(PID, message)) != null) {
            return triggerCpu(match.group(1), match.group(2));
        } else if ((match = match(USAGE, message)) != null) {
            return usage(match);
        } else if ((match = match(TASK_IN, message)) != null) {
            return taskIn(message.substring("Task in ".length()));
        } else if ((match = match(LIMIT_REACHED, message)) != null) {
            text("oomMemcg", match.group(1), PATH);
            return Kind.TASK_IN;
        } else if ((match = match(STATS, message)) != null) {
            text("oomMemcg", match.group(1) == null ? match.group(2) : match.group(1), PATH);
            return Kind.MEMCG_STATS;
        } else if ((match = match(SUMMARY, message)) != null) {
            return summary(match);
        } else if ((match = match(OUT_OF_MEMORY, message)) != null) {
            return outOfMemory(match);
        } else if ((match = match(REAPED, message)) != null) {
            return reaped(match);
        } else if ((match = match(GROUP_KILL, message)) != null) {
            text("groupMemcg", match.group(1), PATH);
            return Kind.GROUP_KILL;
        } else if ((match = match(SUPPRESSED, message)) != null) {
            number("suppressedCallbacks", match.group(1));
            return Kind.CALLBACKS_SUPPRESSED;
        } else if ((match = match(PANIC, message)) != null) {
            return panic(Optional.ofNullable(match.group(1)).orElse(""));
        }
        return killed(message);
    }

    private boolean invoked(String message) {
        String key = " invoked oom-killer";
        int at = message.indexOf(key);
        MatchResult match = at < 0 ? null : match(INVOKED, message.substring(at + key.length()));
        if (match == null || isLongerThanComm(message.substring(0, at))) {
            return false;
        }
        text("comm", message.substring(0, at), COMM);
        text("gfpMask", match.group(1), NAME);
        text("nodemask", match.group(2), NAME);
        number("order", match.group(3));
        number("oomScoreAdj", match.group(4));
        return true;
    }

    private boolean cpusetLine(String message) {
        MatchResult match = message.contains("mems_allowed") ? match(CPUSET_LINE, message) : null;
        if (match == null || isLongerThanComm(match.group(1))) {
            return false;
        }
        text("comm", match.group(1), COMM);
        text("cpuset", match.group(2), NAME);
        text("memsAllowed", match.group(3), NAME);
        return true;
    }

    private static boolean isLongerThanComm(String text) {
        return unescape(text).length() > COMM;
    }

    private Kind triggerCpu(String pid, String rest) {
        number("pid", pid);
        int taint = Math.max(rest.lastIndexOf(" Not tainted "), rest.lastIndexOf(" Tainted: "));
        if (taint >= 0) {
            String comm = rest.substring(0, taint).replaceFirst(" Kdump: loaded$", "");
            if (!isLongerThanComm(comm)) {
                text("comm", comm, COMM);
            }
        }
        return Kind.TRIGGER_CPU;
    }

    private Kind taskIn(String paths) {
        String key = " killed as a result of limit of ";
        int end = paths.indexOf(key);
        for (int at = end; at >= 0; at = paths.indexOf(key, at + 1)) {
            if (isWithin(paths.substring(0, at), paths.substring(at + key.length()))) {
                end = at;
                break;
            }
        }
        text("taskMemcg", paths.substring(0, end), PATH);
        text("oomMemcg", paths.substring(end + key.length()), PATH);
        return Kind.TASK_IN;
    }

    private static boolean isWithin(String path, String root) {
        return path.equals(root) || path.startsWith(root + "/") || root.length() == 1 && path.startsWith(root);
    }

    private Kind outOfMemory(MatchResult match) {
        Wording wording = switch (match.group(1)) {
            case "Memory cgroup out of memory" -> Wording.MEMCG;
            case "No available memory in cpuset" -> Wording.CPUSET;
            case "No available memory (MPOL_BIND)" -> Wording.MEMORY_POLICY;
            default -> Wording.NODE;
        };
        if (match.group(2) != null) {
            wording(wording == Wording.MEMCG ? wording : Wording.NONE);
            return Kind.NO_KILLABLE_PROCESS;
        }
        wording(wording);
        String what = match.group(3);
        MatchResult exiting = match(EXITING, what);
        MatchResult chosen = match(CHOSEN, what);
        if (exiting != null && !isLongerThanComm(exiting.group(2))) {
            number("pid", exiting.group(1));
            text("comm", exiting.group(2), COMM);
            return Kind.ALREADY_EXITING;
        } else if (chosen != null && !isLongerThanComm(chosen.group(2))) {
            number("pid", chosen.group(1));
            text("comm", chosen.group(2), COMM);
            number("oomScore", chosen.group(3));
            return Kind.CHOSEN;
        }
        return killed(what);
    }

    private void wording(Wording wording) {
        if (wording != Wording.NONE) {
            fields.put("wording", wording);
        }
    }

    private Kind panic(String rest) {
        wording(rest.contains("ompulsory ") ? Wording.NONE : rest.contains("(memcg)") ? Wording.MEMCG : Wording.NODE);
        return Kind.PANIC;
    }

    private Kind usage(MatchResult match) {
        size("usageBytes", match.group(2));
        if (match.group(3) != null) {
            long kb = Long.parseLong(match.group(3));
            fields.put("limitBytes", kb >= 9007199254740736L ? -1L : kb * 1024);
        }
        number("failcnt", match.group(4));
        if (match.group(1).startsWith("memory+")) {
            fields.put("memoryPlusSwap", true);
        }
        return switch (match.group(1)) {
            case "memory" -> Kind.MEMORY_USAGE;
            case "kmem" -> Kind.KMEM_USAGE;
            default -> Kind.SWAP_USAGE;
        };
    }

    private Kind summary(MatchResult match) {
        text("constraint", match.group(1), NAME);
        String rest = match.group(2);
        boolean whole = false;
        MatchResult end = match(SUMMARY_END, rest);
        for (int at = rest.indexOf(",task="); end != null && at >= 0 && !whole; at = rest.indexOf(",task=", at + 1)) {
            if (at <= end.end(1) - 6
                    && unescape(rest.substring(at + 6, end.end(1))).length() <= COMM) {
                whole = true;
                text("comm", rest.substring(at + 6, end.end(1)), COMM);
                number("pid", end.group(2));
                number("uid", end.group(3));
                rest = rest.substring(0, at);
                break;
            }
        }
        MatchResult nodemask = match(NODEMASK, rest);
        if (whole || nodemask.group(2).length() > 1) {
            text("nodemask", nodemask.group(1), NAME);
        }
        cgroups(nodemask.group(2), whole);
        return Kind.SUMMARY;
    }

    private void cgroups(String text, boolean whole) {
        String rest = text;
        if (rest.startsWith(",cpuset=")) {
            MatchResult cpuset = match(CPUSET, rest);
            if (cpuset == null || cpuset.group(3).isEmpty() && !whole) {
                return;
            }
            text("cpuset", cpuset.group(1), NAME);
            text("memsAllowed", cpuset.group(2), NAME);
            rest = cpuset.group(3);
        }
        if (rest.startsWith(",global_oom")) {
            fields.put("globalOom", true);
            rest = rest.substring(11);
        }
        if (!whole) {
            int task = rest.indexOf(",task=");
            if (task < 0) {
                oomMemcgBeforeCut(rest);
                return;
            }
            rest = rest.substring(0, task);
        }
        if (rest.startsWith(",oom_memcg=")) {
            String paths = rest.substring(11);
            int split = split(paths);
            if (split < 0) {
                return;
            }
            text("oomMemcg", paths.substring(0, split), PATH);
            rest = paths.substring(split);
        }
        if (rest.startsWith(",task_memcg=")) {
            text("taskMemcg", rest.substring(12), PATH);
        }
    }

    private void oomMemcgBeforeCut(String rest) {
        if (rest.startsWith(",oom_memcg=")) {
            String paths = rest.substring(11);
            for (int at = paths.indexOf(",task_memcg="); at >= 0; at = paths.indexOf(",task_memcg=", at + 1)) {
                if (paths.startsWith(paths.substring(0, at), at + 12)) {
                    text("oomMemcg", paths.substring(0, at), PATH);
                    return;
                }
            }
        }
    }

    private static int split(String paths) {
        for (int at = paths.indexOf(",task_memcg="); at >= 0; at = paths.indexOf(",task_memcg=", at + 1)) {
            if (isWithin(paths.substring(at + 12), paths.substring(0, at))) {
                return at;
            }
        }
        return paths.indexOf(",task_memcg=");
    }

    private Kind killed(String what) {
        MatchResult match = match(KILLED, what);
        int end = match == null ? -1 : commEnd(match.group(3));
        if (end < 0) {
            return Kind.NONE;
        }
        String comm = match.group(3).substring(0, end);
        String tail = match.group(3).substring(end + 1);
        Matcher whole = KILLED_TAIL.matcher(tail);
        MatchResult sizes = match(SIZES, whole.lookingAt() ? tail : "");
        if (isLongerThanComm(comm) && sizes.group(2) == null) {
            return Kind.NONE;
        }
        number("pid", match.group(1));
        number("uid", match.group(2));
        text("comm", comm, COMM);
        number("uid", sizes.group(1));
        size("totalVmBytes", sizes.group(2));
        size("anonRssBytes", sizes.group(3));
        size("fileRssBytes", sizes.group(4));
        size("shmemRssBytes", sizes.group(5));
        number("uid", sizes.group(6));
        size("pgtablesBytes", sizes.group(7));
        number("oomScoreAdj", sizes.group(8));
        return Kind.KILLED;
    }

    /** The first parenthesis with a whole tail behind it, else the last with as much of one as there is to the end. */
    private static int commEnd(String comm) {
        int last = -1;
        for (int at = comm.indexOf(')'); at >= 0; at = comm.indexOf(')', at + 1)) {
            Matcher tail = KILLED_TAIL.matcher(comm.substring(at + 1));
            if (tail.lookingAt()) {
                return at;
            } else if (tail.hitEnd() || comm.endsWith(".") && at == comm.length() - 2) {
                last = at;
            }
        }
        return last;
    }

    private Kind reaped(MatchResult match) {
        number("pid", match.group(1));
        text("comm", match.group(2), COMM);
        size("anonRssBytes", match.group(3));
        size("fileRssBytes", match.group(4));
        size("shmemRssBytes", match.group(5));
        return Kind.REAPED;
    }

    private void number(String name, String digits) {
        if (digits != null) {
            fields.put(name, Long.parseLong(digits));
        }
    }

    private void size(String name, String kb) {
        if (kb != null) {
            fields.put(name, Long.parseLong(kb) * 1024);
        }
    }

    private void text(String name, String escaped, int capacity) {
        String bytes = escaped == null ? "" : unescape(escaped);
        if (!bytes.isEmpty()) {
            fields.put(name, bytes.length() <= capacity ? show(bytes) : show(bytes.substring(0, capacity)) + "...");
        }
    }

    private static MatchResult match(Pattern pattern, String text) {
        Matcher matcher = pattern.matcher(text);
        return matcher.matches() ? matcher.toMatchResult() : null;
    }

    private static String unescape(String text) {
        return text.indexOf('\\') < 0
                ? text
                : ESCAPE.matcher(text)
                        .replaceAll(hex ->
                                Matcher.quoteReplacement(String.valueOf((char) Integer.parseInt(hex.group(1), 16))));
    }

    private static String show(String latin1) {
        byte[] bytes = latin1.getBytes(StandardCharsets.ISO_8859_1);
        if (latin1.chars().allMatch(c -> c < 0x80)) {
            return latin1;
        }
        StringBuilder shown = new StringBuilder();
        int at = 0;
        while (at < bytes.length) {
            String character = null;
            int length = 0;
            while (character == null && length < Math.min(4, bytes.length - at)) {
                length++;
                character = utf8(bytes, at, length);
            }
            shown.append(character == null ? "\\x%02x".formatted(bytes[at]) : character);
            at += character == null ? 1 : length;
        }
        return shown.toString();
    }

    private static String utf8(byte[] bytes, int at, int length) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes, at, length))
                    .toString();
        } catch (CharacterCodingException e) {
            return null;
        }
    }
}
