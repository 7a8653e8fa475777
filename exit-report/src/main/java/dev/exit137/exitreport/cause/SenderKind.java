package dev.exit137.exitreport.cause;

import dev.exit137.proto.v1.ProcessRef;
import dev.exit137.proto.v1.Sender;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What kind of process sent a signal. Its executable and its cgroup decide, which a process cannot choose; its comm
 * does not: any process can call itself {@code runc}.
 */
enum SenderKind {
    /** runc and its like, or the runtime's daemons: the messenger of a client. */
    RUNTIME,
    /** Process 1 of the host. */
    SYSTEMD,
    /** A daemon that kills before the kernel does. */
    PRESSURE_KILLER,
    /** A process of the victim's own container or service. */
    SAME_CONTAINER,
    /** A process of another container. */
    OTHER_CONTAINER,
    /** A process of the host that a person started: it has a terminal or a login. */
    PERSON,
    /** Any other process of the host. */
    PROGRAM,
    /** It was gone before it could be read. */
    UNKNOWN;

    /** They run for one request, started by a daemon of the runtime. */
    private static final Set<String> MESSENGERS = Set.of("runc", "crun", "youki", "runsc", "docker-runc");

    private static final Set<String> DAEMONS = Set.of(
            "containerd-shim-runc-v2",
            "containerd-shim-runc-v1",
            "containerd-shim",
            "containerd",
            "dockerd",
            "conmon",
            "conmonrs",
            "crio");

    private static final Set<String> SCHEDULERS = Set.of("cron", "crond", "atd", "anacron", "fcron");
    /** Where any user may put a program of any name. */
    private static final List<String> ANYBODYS = List.of("/tmp/", "/var/tmp/", "/dev/shm/", "/home/");

    private static final Set<String> PRESSURE_KILLERS = Set.of("systemd-oomd", "earlyoom", "oomd");
    private static final String SYSTEMD_PROGRAM = "/lib/systemd/systemd";
    /** A script: its executable is the interpreter, so its unit decides. */
    private static final Set<String> PRESSURE_UNITS = Set.of(
            "systemd-oomd.service", "earlyoom.service", "oomd.service", "nohang.service", "nohang-desktop.service");

    /**
     * Classifies a sender.
     *
     * @param victimCgroup cgroup of the victim, or empty
     * @param container id of the victim's container, or empty
     * @param service the victim's service, or empty; on cgroup v1 a process on its way out has no cgroup any more
     */
    static SenderKind of(Sender sender, String victimCgroup, String container, String service) {
        boolean inside = !sender.getCgroup().isEmpty() && isBelow(sender.getCgroup(), victimCgroup);
        if (inside
                || (!container.isEmpty() && sender.getContainer().getId().equals(container))
                || (!service.isEmpty()
                        && !sender.hasContainer()
                        && sender.getUnit().equals(service))) {
            return SAME_CONTAINER;
        }
        if (!sender.getContainer().getId().isEmpty()) {
            return OTHER_CONTAINER;
        }
        String program = program(sender.getExe());
        if ((PRESSURE_KILLERS.contains(program) && !isAnybodys(sender.getExe()))
                || PRESSURE_UNITS.contains(sender.getUnit())) {
            return PRESSURE_KILLER;
        }
        if (isDaemon(sender.getExe())
                || (MESSENGERS.contains(program)
                        && sender.getParentsList().stream().anyMatch(parent -> isDaemon(parent.getExe())))) {
            return RUNTIME;
        }
        if (isLeavingMessenger(sender)) {
            return RUNTIME;
        }
        if (sender.getPid() == 1 || SYSTEMD_PROGRAM.equals(sender.getExe().replaceFirst("^/usr", ""))) {
            return SYSTEMD;
        }
        // Without its cgroup it may be of the same container as well.
        if (program.isEmpty() || sender.getCgroup().isEmpty()) {
            return UNKNOWN;
        }
        return isPersons(sender) ? PERSON : PROGRAM;
    }

    /** A login's uid without a terminal is no person's if cron set it: pam_loginuid(8) is in its PAM stack, too. */
    private static boolean isPersons(Sender sender) {
        return !sender.getTty().isEmpty()
                || (sender.hasLoginuid() && scheduler(sender).isEmpty());
    }

    /** Returns the name of the daemon that started it, or a parent of it, at a time that was set before. */
    static Optional<String> scheduler(Sender sender) {
        return sender.getParentsList().stream()
                .map(ProcessRef::getExe)
                .filter(exe -> !isAnybodys(exe))
                .map(SenderKind::program)
                .filter(SCHEDULERS::contains)
                .findFirst();
    }

    /** Whether a cgroup is the given one or below it; nothing is below the root alone. */
    private static boolean isBelow(String cgroup, String other) {
        return other.length() > 1 && (cgroup.equals(other) || cgroup.startsWith(other + "/"));
    }

    /**
     * Whether it was on its way out, without an executable, and is by its name and by its parent a messenger. A name is no
     * proof: what follows from it is inferred.
     */
    static boolean isLeavingMessenger(Sender sender) {
        return sender.getExe().isEmpty()
                && MESSENGERS.contains(sender.getComm())
                && sender.getParentsCount() > 0
                && isDaemon(sender.getParents(0).getExe());
    }

    private static boolean isDaemon(String exe) {
        return DAEMONS.contains(program(exe)) && !isAnybodys(exe);
    }

    private static boolean isAnybodys(String exe) {
        return ANYBODYS.stream().anyMatch(exe::startsWith);
    }

    /** Returns the base name of an executable; the kernel marks one that was replaced with {@code (deleted)}. */
    static String program(String exe) {
        String path = exe.endsWith(" (deleted)") ? exe.substring(0, exe.length() - " (deleted)".length()) : exe;
        // runc runs a copy of itself from memory, so that no container can overwrite it (CVE-2019-5736).
        return path.startsWith("/memfd:runc_cloned") ? "runc" : path.substring(path.lastIndexOf('/') + 1);
    }
}
