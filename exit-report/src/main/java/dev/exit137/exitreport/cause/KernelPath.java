package dev.exit137.exitreport.cause;

import java.util.List;
import java.util.Set;

/**
 * The way through the kernel to a SIGKILL, by the functions on its stack. The innermost functions have other names in
 * each version, so the outer ones decide (seen on 5.10, 6.1, 6.12 and 6.18).
 */
enum KernelPath {
    /** mm/oom_kill.c. */
    OOM("oom_kill_process", "__oom_kill_process", "oom_kill_memcg_member"),
    /** kernel/pid_namespace.c: process 1 of the namespace has ended. */
    NAMESPACE_END("zap_pid_ns_processes"),
    /** kernel/cgroup/cgroup.c. */
    CGROUP_KILL("__cgroup_kill", "cgroup_kill", "cgroup_kill_write"),
    /** kernel/time/posix-cpu-timers.c. */
    CPU_LIMIT("posix_cpu_timers_work", "run_posix_cpu_timers", "check_process_timers"),
    /** kernel/ptrace.c. */
    TRACER_END("exit_ptrace"),
    /** kernel/seccomp.c: strict mode kills with SIGKILL. */
    SECCOMP("__secure_computing", "seccomp_run_filters", "__seccomp_filter"),
    /** A system call of a process: kernel/signal.c. */
    SYSTEM_CALL(
            "kill_something_info",
            "do_tkill",
            "do_send_specific",
            "do_pidfd_send_signal",
            "do_rt_sigqueueinfo",
            "do_rt_tgsigqueueinfo"),
    /** kernel/exit.c: the parent has ended, and the process had asked for a signal then. */
    PARENT_END("do_exit", "forget_original_parent", "exit_notify"),
    /** None of these. */
    OTHER(),
    /** There is no stack. */
    UNKNOWN();

    private static final List<String> SYSTEM_CALLS =
            List.of("sys_kill", "sys_tkill", "sys_tgkill", "sys_pidfd_send_signal", "sys_rt_sigqueueinfo");

    @SuppressWarnings("ImmutableEnumChecker") // Set.of gives an immutable set.
    private final Set<String> functions;

    KernelPath(String... functions) {
        this.functions = Set.of(functions);
    }

    /** Classifies a stack; the functions are in any order. */
    static KernelPath of(List<String> stack) {
        if (stack.isEmpty()) {
            return UNKNOWN;
        }
        for (KernelPath path : values()) {
            if (stack.stream().anyMatch(path.functions::contains)) {
                return path;
            }
        }
        // __x64_sys_kill, __arm64_sys_kill, …
        boolean called = stack.stream().anyMatch(frame -> SYSTEM_CALLS.stream().anyMatch(frame::endsWith));
        return called ? SYSTEM_CALL : OTHER;
    }
}
