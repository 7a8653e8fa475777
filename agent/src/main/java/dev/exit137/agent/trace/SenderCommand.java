package dev.exit137.agent.trace;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What of a sender's command line is kept. A command line can have secrets, so by default it is the name of the program
 * and, of tools that are known to end processes, words that are known themselves: the subcommand, or the signal. With
 * {@code --sender-cmdline=on} it is the whole line, without the values that follow a word such as {@code password}.
 *
 * <p>Any thread.
 */
public final class SenderCommand {
    /** Bound of a whole line. */
    public static final int MAX_BYTES = 1024;

    private static final int MAX_SUBCOMMANDS = 2;
    private static final String MASK = "***";
    /** Programs that are many: the name they are called by says which. */
    private static final Set<String> MULTI_CALL = Set.of("busybox", "toybox", "coreutils");

    private static final Set<String> ENGINE_WORDS = Set.of(
            "builder",
            "compose",
            "container",
            "create",
            "down",
            "exec",
            "kill",
            "pause",
            "pod",
            "prune",
            "remove",
            "restart",
            "rm",
            "run",
            "start",
            "stop",
            "system",
            "up",
            "update");
    private static final Set<String> RUNTIME_WORDS =
            Set.of("checkpoint", "create", "delete", "exec", "init", "kill", "pause", "run", "start", "stop");
    private static final Map<String, Set<String>> SUBCOMMANDS = Map.ofEntries(
            Map.entry("docker", ENGINE_WORDS),
            Map.entry("docker-compose", ENGINE_WORDS),
            Map.entry("podman", ENGINE_WORDS),
            Map.entry("nerdctl", ENGINE_WORDS),
            Map.entry(
                    "ctr", Set.of("c", "container", "containers", "delete", "kill", "rm", "run", "t", "task", "tasks")),
            Map.entry("crictl", Set.of("exec", "rm", "rmp", "stop", "stopp", "update")),
            Map.entry("kubectl", Set.of("delete", "drain", "exec", "restart", "rollout", "scale")),
            Map.entry("runc", RUNTIME_WORDS),
            Map.entry("crun", RUNTIME_WORDS),
            Map.entry("youki", RUNTIME_WORDS),
            Map.entry("runsc", RUNTIME_WORDS),
            Map.entry(
                    "systemctl",
                    Set.of("isolate", "kill", "poweroff", "reboot", "restart", "start", "stop", "try-restart")),
            Map.entry("loginctl", Set.of("kill-session", "kill-user", "terminate-session", "terminate-user")),
            Map.entry("machinectl", Set.of("kill", "poweroff", "terminate")),
            Map.entry("supervisorctl", Set.of("restart", "shutdown", "signal", "stop")),
            Map.entry("virsh", Set.of("destroy", "shutdown")));

    /** Tools whose argument is a signal. */
    private static final Set<String> KILLERS = Set.of(
            "kill", "pkill", "killall", "killall5", "skill", "snice", "timeout", "fuser", "xkill", "start-stop-daemon");

    private static final String SIGNAL_NAME =
            "(?:SIG)?(?:HUP|INT|QUIT|ILL|TRAP|ABRT|BUS|FPE|KILL|USR1|SEGV|USR2|PIPE|ALRM"
                    + "|TERM|STKFLT|CHLD|CONT|STOP|TSTP|TTIN|TTOU|SYS)|\\d{1,2}";
    // -9, -KILL, -SIGKILL, --signal=KILL
    private static final Pattern SIGNAL =
            Pattern.compile("(?:-|-s|-n|--signal=)(?:" + SIGNAL_NAME + ")", Pattern.CASE_INSENSITIVE);
    // -s KILL, --signal KILL
    private static final Set<String> SIGNAL_FOLLOWS = Set.of("-s", "-n", "--signal");
    private static final Pattern SIGNAL_VALUE = Pattern.compile(SIGNAL_NAME, Pattern.CASE_INSENSITIVE);

    private static final String SECRET_WORDS = "password|passwd|token|key|secret";
    // --token=X, API_KEY=X, "X-Token: X", and the same within a script
    private static final Pattern SECRET = Pattern.compile(
            "(?:" + SECRET_WORDS + ")[^\\s=:]*\\s*[=:\\s]\\s*(?=\\S)", Pattern.CASE_INSENSITIVE | Pattern.DOTALL);
    // --token X; token X
    private static final Pattern SECRET_FOLLOWS =
            Pattern.compile("-.*(?:" + SECRET_WORDS + ")[^=:\\s]*|" + SECRET_WORDS, Pattern.CASE_INSENSITIVE);

    private final boolean whole;

    /** @param whole whether the user asked for the whole line */
    public SenderCommand(boolean whole) {
        this.whole = whole;
    }

    /**
     * What is kept of a command line.
     *
     * @param executable path of the program; empty if not known
     * @param arguments the program's first; empty if not known
     */
    public String of(String executable, List<String> arguments) {
        return whole && !arguments.isEmpty() ? masked(arguments) : known(executable, arguments);
    }

    private static String known(String executable, List<String> arguments) {
        String program = program(executable, arguments);
        List<String> words = new ArrayList<>(List.of(program));
        List<String> rest = arguments.isEmpty() ? arguments : arguments.subList(1, arguments.size());
        if (KILLERS.contains(program)) {
            addSignal(words, rest);
        } else {
            addSubcommands(words, rest, SUBCOMMANDS.getOrDefault(program, Set.of()));
        }
        return String.join(" ", words);
    }

    /**
     * The name of the program. A process can choose its first argument, and can write anything into it, so the executable
     * comes first.
     */
    private static String program(String executable, List<String> arguments) {
        String name = baseName(executable);
        boolean says = !name.isEmpty() && !MULTI_CALL.contains(name) && !executable.startsWith("/memfd:");
        // -bash; postgres: user database
        return says || arguments.isEmpty()
                ? name
                : baseName(arguments.getFirst().split("[\\s:]", 2)[0]).replaceFirst("^-", "");
    }

    private static String baseName(String path) {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    private static void addSignal(List<String> words, List<String> rest) {
        for (int i = 0; i < rest.size(); i++) {
            String argument = rest.get(i);
            if (SIGNAL.matcher(argument).matches()) {
                words.add(argument);
                return;
            }
            if (SIGNAL_FOLLOWS.contains(argument)
                    && i + 1 < rest.size()
                    && SIGNAL_VALUE.matcher(rest.get(i + 1)).matches()) {
                words.add(argument);
                words.add(rest.get(i + 1));
                return;
            }
        }
    }

    /** Adds the first word that is a subcommand, and the next one if it is one, too. */
    private static void addSubcommands(List<String> words, List<String> rest, Set<String> subcommands) {
        int found = 0;
        for (String argument : rest) {
            if (subcommands.contains(argument)) {
                words.add(argument);
                found++;
            }
            if (found == MAX_SUBCOMMANDS || (found > 0 && !subcommands.contains(argument))) {
                return;
            }
        }
    }

    private static String masked(List<String> arguments) {
        List<String> words = new ArrayList<>();
        boolean isSecret = false;
        for (String argument : arguments) {
            words.add(isSecret ? MASK : maskedWithin(argument));
            isSecret = !isSecret && SECRET_FOLLOWS.matcher(argument).matches();
        }
        return bounded(String.join(" ", words));
    }

    private static String maskedWithin(String argument) {
        Matcher secret = SECRET.matcher(argument);
        return secret.find() ? argument.substring(0, secret.end()) + MASK : argument;
    }

    /** Cuts at the last whole character that fits. */
    private static String bounded(String line) {
        byte[] bytes = line.getBytes(UTF_8);
        if (bytes.length <= MAX_BYTES) {
            return line;
        }
        int end = MAX_BYTES;
        while ((bytes[end] & 0xc0) == 0x80) {
            end--;
        }
        return new String(bytes, 0, end, UTF_8);
    }
}
