package dev.exit137.agent.linux;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.exit137.daemon.procfs.ProcStat;
import dev.exit137.oomreport.parse.ByteText;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Reads one process after another from procfs (proc(5)), for processes that may end within a millisecond: first all bytes,
 * with nothing but system calls, and what they mean afterwards. The process's directory is opened first, so all files are of
 * one process, also where its number is given to another one meanwhile. A file that is gone is empty.
 *
 * <p>Owned by one thread. Only methods that return an object allocate.
 */
public final class ProcessReader implements AutoCloseable {
    /** More is not kept of a command line by its users; a secret must be seen whole with the word before it. */
    private static final int COMMAND_LINE_BYTES = 4096;

    private static final int PATH_BYTES = 4096;
    private static final int CGROUP_BYTES = 8192;
    private static final int STAT_BYTES = 1024;
    /** The ids are in the first lines. */
    private static final int STATUS_BYTES = 1024;

    private static final int NUMBER_BYTES = 16;
    // TASK_COMM_LEN of include/linux/sched.h; the name of a kernel's worker is longer.
    private static final int COMM_BYTES = 64;
    private static final long NOBODY_LOGGED_IN = 0xffff_ffffL;

    // Tgid:	34567; Uid:	1000	1000	1000	1000
    private static final byte[] TGID = "Tgid:".getBytes(US_ASCII);
    private static final byte[] UID = "Uid:".getBytes(US_ASCII);

    private static final NativeMemory EXE = Sys.nativeString("exe");
    private static final NativeMemory CGROUP = Sys.nativeString("cgroup");
    private static final NativeMemory CMDLINE = Sys.nativeString("cmdline");
    private static final NativeMemory STAT = Sys.nativeString("stat");
    private static final NativeMemory STATUS = Sys.nativeString("status");
    private static final NativeMemory LOGINUID = Sys.nativeString("loginuid");

    private final String procRoot;
    private final NativeMemory number = Sys.allocate(NUMBER_BYTES);
    private final FileReader exe = new FileReader(PATH_BYTES);
    private final FileReader cgroup = new FileReader(CGROUP_BYTES);
    private final FileReader cmdline = new FileReader(COMMAND_LINE_BYTES);
    private final FileReader stat = new FileReader(STAT_BYTES);
    private final FileReader status = new FileReader(STATUS_BYTES);
    private final FileReader loginuid = new FileReader(NUMBER_BYTES);
    private final ByteText comm = new ByteText(COMM_BYTES);
    private Descriptor root = new Descriptor(-Sys.EBADF);

    /** @param procRoot the host's procfs */
    public ProcessReader(Path procRoot) {
        this.procRoot = procRoot.toString();
    }

    /**
     * Reads everything that this class has of a process. At its end a process loses its executable and its arguments
     * first, then its cgroup, so they come first.
     *
     * @param pid of a process or a thread
     */
    public void readAll(int pid) {
        int directory = open(pid);
        exe.readLink(directory, EXE);
        cgroup.read(directory, CGROUP);
        cmdline.read(directory, CMDLINE);
        stat.read(directory, STAT);
        status.read(directory, STATUS);
        loginuid.read(directory, LOGINUID);
        Sys.close(directory);
    }

    /** Reads cgroup, executable, state and the process of a thread: its executable is the first that a dying one loses. */
    public void readVictim(int pid) {
        int directory = open(pid);
        exe.readLink(directory, EXE);
        cgroup.read(directory, CGROUP);
        stat.read(directory, STAT);
        status.read(directory, STATUS);
        Sys.close(directory);
    }

    /** Reads executable and state alone. */
    public void readProgram(int pid) {
        int directory = open(pid);
        exe.readLink(directory, EXE);
        stat.read(directory, STAT);
        Sys.close(directory);
    }

    /** Returns the process's directory, or -errno, which every read then fails with. */
    private int open(int pid) {
        exe.clear();
        cgroup.clear();
        cmdline.clear();
        stat.clear();
        status.clear();
        loginuid.clear();
        if (pid <= 0) {
            return -Sys.ENOENT;
        }
        if (!root.isOpen()) {
            root = new Descriptor(Sys.open(procRoot, Sys.O_PATH | Sys.O_DIRECTORY | Sys.O_CLOEXEC));
        }
        number.putDecimal(pid);
        return Sys.openAt(root.number(), number, Sys.O_PATH | Sys.O_DIRECTORY | Sys.O_CLOEXEC);
    }

    /** Returns the path of its program; empty for a thread of the kernel, too. */
    public String executable() {
        return MemoryCgroup.text(exe.bytes(), 0, exe.length());
    }

    /** Returns the path of its memory cgroup within the hierarchy; empty if not known. */
    public String cgroup() {
        return MemoryCgroup.path(cgroup.bytes(), cgroup.length());
    }

    /** Returns its arguments, the program first, as far as 4 KiB go. */
    public List<String> arguments() {
        return cmdline.length() == 0
                ? List.of()
                : List.of(new String(cmdline.bytes(), 0, cmdline.length(), UTF_8).split("\0"));
    }

    /** Returns its state; that of the thread where the number is a thread's. */
    public Optional<ProcStat> stat() {
        return ProcStat.parse(stat.bytes(), stat.length());
    }

    /** Returns its name; empty if not known. */
    public String comm() {
        // 4711 (java) S 1 4711 …: the name may contain any character, spaces and parentheses included.
        byte[] bytes = stat.bytes();
        int start = 0;
        while (start < stat.length() && bytes[start] != '(') {
            start++;
        }
        int end = stat.length() - 1;
        while (end > start && bytes[end] != ')') {
            end--;
        }
        comm.set(bytes, start + 1, Math.max(0, end - start - 1));
        return comm.toString();
    }

    /** Returns the process of the thread; -1 if not known. */
    public long tgid() {
        return status.firstNumberAfter(TGID);
    }

    /** Returns the real user id; -1 if not known. */
    public long uid() {
        return status.firstNumberAfter(UID);
    }

    /** Returns the user who logged in, whoever the process is now; -1 if nobody did. */
    public long loginUid() {
        long uid = loginuid.firstNumber();
        return uid == NOBODY_LOGGED_IN ? -1 : uid;
    }

    @Override
    public void close() {
        root.close();
    }
}
