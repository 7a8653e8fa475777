package dev.exit137.exitreport.cause;

import dev.exit137.exitreport.words.ExitWords;
import dev.exit137.proto.v1.ExitSettings;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.Sender;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** What to do about an end. Each piece of advice names the evidence that it follows from. */
final class ExitAdvice {
    private static final Set<String> SHELLS = Set.of("sh", "bash", "dash", "ash", "zsh");

    /** They do what another says. */
    private static final Set<String> TOOLS = Set.of(
            "sh", "bash", "dash", "ash", "zsh", "busybox", "kill", "pkill", "killall", "fuser", "timeout", "sudo");

    private static final int MAX_PARENTS = 3;

    private ExitAdvice() {}

    static List<String> of(ExitFacts facts, Verdict verdict) {
        List<String> advice = new ArrayList<>();
        ExitSettings settings = facts.reported().getSettings();
        switch (verdict.cause) {
            case OOM_KILL ->
                facts.oomOfMain().map(OomKillEvent::getRecommendationsList).ifPresent(advice::addAll);
            case STOP_TIMEOUT -> stopTimeout(facts, settings, advice);
            case SYSTEMD_STOP_TIMEOUT -> {
                advice.add("Raise TimeoutStopSec, or let the service handle SIGTERM: it did not end within it.");
                dependency(verdict, advice);
            }
            case SYSTEMD_START_TIMEOUT ->
                advice.add("Raise TimeoutStartSec, or look at what the service waits for while it starts: it was not"
                        + " ready in time.");
            case SYSTEMD_WATCHDOG ->
                advice.add("Look at what kept the service from its watchdog's ping: WatchdogSec passed without one.");
            case SYSTEMD_DEPENDENCY -> dependency(verdict, advice);
            case HOST_PROCESS, SAME_CONTAINER_PROCESS, CGROUP_KILL, SHIM_DIED -> sender(facts, advice);
            case PRESSURE_KILLER ->
                advice.add("Look at the log of that daemon for the threshold that was passed; give the node memory, or"
                        + " the workload a limit of its own.");
            case CPU_LIMIT -> advice.add("Raise RLIMIT_CPU (LimitCPU=, ulimit -t): it was used up.");
            case CRASH -> advice.add("Keep the core file (core_pattern, LimitCORE=) and read its stack.");
            case SECCOMP ->
                advice.add("Allow the system call in the seccomp profile; the kernel's audit line (type=1326) has its"
                        + " number.");
            case UNKNOWN -> {
                if (!facts.trace().whole() && facts.knowsMainProcess()) {
                    advice.add("Let the agent see the kernel's trace of signals: "
                            + facts.trace().missing() + ".");
                }
            }
            default -> {
                // The sentence says all.
            }
        }
        return advice;
    }

    private static void stopTimeout(ExitFacts facts, ExitSettings settings, List<String> advice) {
        String shell = settings.getInitProgram();
        boolean ignored = facts.term().filter(term -> !term.delivered()).isPresent();
        if (SHELLS.contains(shell)) {
            advice.add("Start the program with exec: process 1 is a shell (" + shell
                    + "), which does not pass SIGTERM on.");
        } else if (ignored) {
            advice.add("Handle SIGTERM, or run with an init (docker run --init): process 1 has no handler for it, so"
                    + " the kernel dropped it.");
        }
        facts.waited()
                .ifPresent(waited -> advice.add("Let the program end sooner after SIGTERM, or give it a longer"
                        + " grace period: it was killed after " + ExitWords.span(waited) + "."));
    }

    private static void dependency(Verdict verdict, List<String> advice) {
        if (!verdict.askedBy.getUnitsList().isEmpty()) {
            advice.add("Remove " + verdict.askedBy.getDetail() + " if the service need not end with "
                    + String.join(", ", verdict.askedBy.getUnitsList()) + ".");
        }
    }

    private static void sender(ExitFacts facts, List<String> advice) {
        facts.shimKill().or(facts::kill).ifPresent(kill -> {
            if (facts.senderOf(kill) == SenderKind.PERSON) {
                advice.add("Ask the person who sent it: the sender has the login and the terminal.");
            } else if (facts.senderOf(kill) == SenderKind.PROGRAM) {
                advice.add(program(kill.sender()));
            }
        });
    }

    private static String program(Sender sender) {
        Optional<String> scheduler = SenderKind.scheduler(sender);
        if (scheduler.isPresent()) {
            return "Look at the jobs of " + scheduler.get() + ", one of which sent the signal.";
        }
        if (!TOOLS.contains(SenderKind.program(sender.getExe()))) {
            return "Look at the configuration of " + sender.getExe() + ", which sent the signal.";
        }
        String parents = sender.getParentsList().stream()
                .map(parent -> parent.getExe().isEmpty() ? parent.getComm() : parent.getExe())
                .limit(MAX_PARENTS)
                .collect(Collectors.joining(", which is a child of "));
        return parents.isEmpty()
                ? "Find out what ran " + sender.getExe() + ", which sent the signal."
                : "Find out what ran " + sender.getExe() + ", which sent the signal: it was a child of " + parents
                        + ".";
    }
}
