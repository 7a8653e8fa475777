package dev.exit137.agent.linux;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Arrays;

/** The file {@code /proc/PID/cgroup} (cgroups(7)): {@code 0::/a/b} on v2, {@code 4:cpu,memory:/a/b} on v1. */
final class MemoryCgroup {
    private static final byte[] MEMORY = "memory".getBytes(UTF_8);
    private static final byte[] DELETED = " (deleted)".getBytes(UTF_8);

    private MemoryCgroup() {}

    /**
     * Returns the path in the hierarchy that has the memory controller: if a v1 hierarchy has it, v2's has not. A cgroup
     * that was removed has the path that it had. Empty if no line names it.
     */
    static String path(byte[] file, int length) {
        String unified = "";
        int start = 0;
        while (start < length) {
            int end = indexOf(file, '\n', start, length);
            int controllers = indexOf(file, ':', start, end) + 1;
            int path = indexOf(file, ':', controllers, end) + 1;
            if (path > 0 && path <= end) {
                if (hasMemory(file, controllers, path - 1)) {
                    return text(file, path, end);
                }
                if (file[start] == '0' && controllers == start + 2) {
                    unified = text(file, path, end);
                }
            }
            start = end + 1;
        }
        return unified;
    }

    /** Returns the end if it is not there. */
    private static int indexOf(byte[] file, char ascii, int from, int end) {
        int at = from;
        while (at < end && file[at] != ascii) {
            at++;
        }
        return Math.min(at, end);
    }

    private static boolean hasMemory(byte[] file, int from, int end) {
        int start = from;
        while (start < end) {
            int comma = indexOf(file, ',', start, end);
            if (Arrays.equals(file, start, comma, MEMORY, 0, MEMORY.length)) {
                return true;
            }
            start = comma + 1;
        }
        return false;
    }

    /** The kernel marks the name of a file that is gone. */
    static String text(byte[] file, int from, int end) {
        int marked = end - DELETED.length;
        boolean isDeleted = marked >= from && Arrays.equals(file, marked, end, DELETED, 0, DELETED.length);
        return new String(file, from, (isDeleted ? marked : end) - from, UTF_8);
    }
}
