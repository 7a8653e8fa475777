package dev.exit137.agent.kmsg;

import dev.exit137.agent.kmsg.OomLine.Kind;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
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
  private static final int MESSAGE = 64;
  private static final long MAX_PID = Integer.MAX_VALUE;
  private static final long MAX_UID = 4294967295L;

  private static final String ADJ = "-?0*(?:1000|\\d{1,3})(?!\\d)";
  private static final Pattern ESCAPE = regex("\\\\x([0-9a-fA-F]{2})");
  private static final Pattern RECORD = regex("(\\d+),(\\d+),(\\d+)(?:,[^;\n]*)?;([^\n]*)\n.*");
  private static final Pattern INVOKED = regex("([^,]*),(?:(?!order=).)*order=(-?\\d+), oom_score_adj=(" + ADJ + ")");
  private static final Pattern CPU = regex("CPU: (\\d+)(?: UID: (\\d+))? PID: (\\d+) Comm: (.*)");
  private static final Pattern USAGE =
      regex("(memory|swap|memory\\+swap): usage (\\d+)kB(?:, limit (\\d+)kB)?(?:, failcnt (\\d+))?.*");
  private static final Pattern SUMMARY = regex("oom-kill:constraint=(.*?),nodemask=(.*)");
  private static final Pattern SUMMARY_END = regex("(.*),pid=(\\d+),uid=(\\d+)");
  private static final String NODES = "(?:[0-9-]|,(?=\\d))*+";
  private static final Pattern NODEMASK = regex("(?:\\(null\\)|" + NODES + ")(.*)");
  private static final Pattern CPUSET =
      regex(",cpuset=(.*?),mems_allowed=(" + NODES + ")(|,(?:global_oom|oom_memcg=).*)");
  private static final Pattern KILLED = regex(
      "(?:((?:Memory cgroup o|O)ut of memory.*?): (?=Killed process ))?+Killed process (\\d+)"
      + "(?:, UID (\\d+),)? \\((.*?)\\)(?:, UID (\\d+),)? total-vm:(\\d+)kB(?=, anon-rss:)(.*)");
  private static final Pattern SIZES = regex("(?:, anon-rss:(\\d+)kB)?(?:, file-rss:(\\d+)kB)?(?:, shmem-rss:(\\d+)kB)?"
      + "(?:, UID:(\\d+))?(?: pgtables:(\\d+)kB)?(?: oom_score_adj:(" + ADJ + "))?.*");
  private static final Pattern REAPED = regex("oom_reaper: reaped process (\\d+) \\((.*?)(?=\\), now anon-rss:)\\)"
      + "(?:, now anon-rss:(\\d+)kB(?:, file-rss:(\\d+)kB)?(?:, shmem-rss:(\\d+)kB)?)?.*");
  private static final Pattern SUPPRESSED = regex("(?:oom_kill_process|dump_header): (\\d+) callbacks suppressed.*");
  private static final Pattern GROUP_KILL = regex("Tasks in (.*) are going to be killed due to memory\\.oom\\.group set");
  private static final Pattern NO_KILLABLE = regex("(Memory cgroup o|O)ut of memory and no killable processes.*");
  private static final Pattern PANIC =
      regex("Kernel panic - not syncing: (?:Out of memory|System is deadlocked on memory).*");

  private final Map<String, Object> fields = new TreeMap<>();

  private NaiveOomLineParser() {}

  private static Pattern regex(String regex) {
    return Pattern.compile(regex, Pattern.DOTALL);
  }

  /** What {@link Fields#parse(byte[])} gives. */
  static Map<String, Object> parse(byte[] record) {
    NaiveOomLineParser parser = new NaiveOomLineParser();
    Matcher matcher = RECORD.matcher(new String(record, StandardCharsets.ISO_8859_1));
    parser.fields.put("kind", matcher.matches() ? parser.kind(matcher.group(4)) : Kind.NONE);
    return parser.fields.get("kind") == Kind.NONE ? Map.of("kind", Kind.NONE) : parser.fields;
  }

  private Kind kind(String message) {
    if (invoked(message)) {
      return Kind.INVOKED;
    }
    fields.clear();
    MatchResult match;
    if ((match = match(CPU, message)) != null) {
      return cpu(match);
    } else if ((match = match(USAGE, message)) != null) {
      return usage(match);
    } else if ((match = match(SUMMARY, message)) != null) {
      return summary(match);
    } else if ((match = match(NO_KILLABLE, message)) != null) {
      memcgWording(message);
      return Kind.NO_KILLABLE_PROCESS;
    } else if ((match = match(KILLED, message)) != null) {
      memcgWording(message);
      return killed(match);
    } else if ((match = match(REAPED, message)) != null) {
      return reaped(match);
    } else if ((match = match(GROUP_KILL, message)) != null) {
      text("groupMemcg", match.group(1), PATH);
      return Kind.GROUP_KILL;
    } else if ((match = match(SUPPRESSED, message)) != null) {
      number("suppressedCallbacks", match.group(1));
      return Kind.CALLBACKS_SUPPRESSED;
    }
    return match(PANIC, message) == null ? Kind.NONE : Kind.PANIC;
  }

  private boolean invoked(String message) {
    String key = " invoked oom-killer: gfp_mask=";
    int at = message.indexOf(key);
    if (at < 0 || unescape(message.substring(0, at)).length() > COMM) {
      return false;
    }
    MatchResult match = match(INVOKED, message.substring(at + key.length()));
    if (match == null) {
      return false;
    }
    text("comm", message.substring(0, at), COMM);
    text("gfpMask", match.group(1), NAME);
    number("order", match.group(2));
    number("oomScoreAdj", match.group(3));
    return true;
  }

  private Kind cpu(MatchResult match) {
    number("cpu", match.group(1));
    number("uid", match.group(2));
    number("pid", match.group(3));
    String rest = match.group(4);
    int taint = Math.max(rest.lastIndexOf(" Not tainted "), rest.lastIndexOf(" Tainted: "));
    if (taint >= 0) {
      String comm = rest.substring(0, taint).replaceFirst(" Kdump: loaded$", "");
      if (unescape(comm).length() <= COMM) {
        text("comm", comm, COMM);
      }
    }
    return Kind.TRIGGER_CPU;
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
    return match.group(1).equals("memory") ? Kind.MEMORY_USAGE : Kind.SWAP_USAGE;
  }

  private Kind summary(MatchResult match) {
    text("constraint", match.group(1), NAME);
    String rest = match.group(2);
    boolean whole = false;
    MatchResult end = match(SUMMARY_END, rest);
    for (int at = rest.indexOf(",task="); end != null && at >= 0 && !whole; at = rest.indexOf(",task=", at + 1)) {
      if (at <= end.end(1) - 6 && unescape(rest.substring(at + 6, end.end(1))).length() <= COMM) {
        whole = true;
        text("comm", rest.substring(at + 6, end.end(1)), COMM);
        number("pid", end.group(2));
        number("uid", end.group(3));
        rest = rest.substring(0, at);
        break;
      }
    }
    cgroups(match(NODEMASK, rest).group(1), whole);
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
    if (whole && rest.startsWith(",oom_memcg=")) {
      String paths = rest.substring(11);
      int split = split(paths);
      if (split < 0) {
        return;
      }
      text("oomMemcg", paths.substring(0, split), PATH);
      rest = paths.substring(split);
    }
    if (whole && rest.startsWith(",task_memcg=")) {
      text("taskMemcg", rest.substring(12), PATH);
    }
  }

  private static int split(String paths) {
    for (int at = paths.indexOf(",task_memcg="); at >= 0; at = paths.indexOf(",task_memcg=", at + 1)) {
      String oomMemcg = paths.substring(0, at);
      String taskMemcg = paths.substring(at + 12);
      if (taskMemcg.equals(oomMemcg) || taskMemcg.startsWith(oomMemcg + "/")
          || oomMemcg.length() == 1 && taskMemcg.startsWith(oomMemcg)) {
        return at;
      }
    }
    return paths.indexOf(",task_memcg=");
  }

  private Kind killed(MatchResult match) {
    text("killMessage", match.group(1) == null ? "" : match.group(1), MESSAGE);
    number("pid", match.group(2));
    number("uid", match.group(3));
    text("comm", match.group(4), COMM);
    number("uid", match.group(5));
    size("totalVmBytes", match.group(6));
    sizes(match.group(7));
    return Kind.KILLED;
  }

  private Kind reaped(MatchResult match) {
    number("pid", match.group(1));
    text("comm", match.group(2), COMM);
    size("anonRssBytes", match.group(3));
    size("fileRssBytes", match.group(4));
    size("shmemRssBytes", match.group(5));
    return Kind.REAPED;
  }

  private void sizes(String text) {
    MatchResult match = match(SIZES, text);
    size("anonRssBytes", match.group(1));
    size("fileRssBytes", match.group(2));
    size("shmemRssBytes", match.group(3));
    number("uid", match.group(4));
    size("pgtablesBytes", match.group(5));
    number("oomScoreAdj", match.group(6));
  }

  private void memcgWording(String message) {
    if (message.startsWith("Memory cgroup")) {
      fields.put("memcgWording", true);
    }
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
    String bytes = unescape(escaped);
    if (!bytes.isEmpty()) {
      fields.put(name, bytes.length() <= capacity ? show(bytes) : show(bytes.substring(0, capacity)) + "...");
    }
  }

  private static MatchResult match(Pattern pattern, String text) {
    Matcher matcher = pattern.matcher(text);
    return matcher.matches() ? matcher.toMatchResult() : null;
  }

  private static String unescape(String text) {
    return ESCAPE.matcher(text).replaceAll(
        hex -> Matcher.quoteReplacement(String.valueOf((char) Integer.parseInt(hex.group(1), 16))));
  }

  private static String show(String latin1) {
    byte[] bytes = latin1.getBytes(StandardCharsets.ISO_8859_1);
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
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, at, length)).toString();
    } catch (CharacterCodingException e) {
      return null;
    }
  }
}
