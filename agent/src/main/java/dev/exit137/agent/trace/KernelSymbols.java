package dev.exit137.agent.trace;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.exit137.daemon.collect.BoundedMap;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The kernel's functions by their addresses, from {@code /proc/kallsyms} (proc_kallsyms(5), kernel/kallsyms.c). The file
 * has more than a hundred thousand lines: it is read only for addresses that were never seen before, and only their names
 * are kept. A kernel has few ways to a signal, so soon there are none.
 *
 * <p>Owned by the agent-epoll thread.
 */
final class KernelSymbols {
    private static final int MAX_ADDRESSES = 4096;
    private static final int MAX_STACKS = 512;
    private static final int BUFFER_BYTES = 64 * 1024;
    private static final int FIRST_BYTES = 4096;
    private static final int MAX_NAME_BYTES = 512;
    private static final int HEX_BITS = 4;
    private static final String NONE = "";
    /** The frames of the trace itself, which are the innermost ones. */
    private static final List<String> OF_THE_TRACE =
            List.of("trace_event_raw_event_", "__traceiter_", "event_triggers_", "stacktrace_", "__trace_stack");

    private final Path file;
    private final Map<Long, String> names = BoundedMap.byInsertion(MAX_ADDRESSES);
    private final Map<Stack, List<String>> paths = BoundedMap.byInsertion(MAX_STACKS);

    private record Stack(long[] callers) {
        @Override
        public boolean equals(Object other) {
            return other instanceof Stack stack && Arrays.equals(callers, stack.callers);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(callers);
        }
    }

    /** @param procRoot the host's procfs */
    KernelSymbols(Path procRoot) {
        file = procRoot.resolve("kallsyms");
    }

    /** Whether the file has addresses; the kernel hides them with zeros. */
    boolean isReadable() {
        try (InputStream in = Files.newInputStream(file)) {
            String first = new String(in.readNBytes(FIRST_BYTES), ISO_8859_1);
            // 0000000000000000 T _stext
            return first.lines().anyMatch(line -> !line.startsWith("0000000000000000 ") && line.length() > 16);
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * The functions of a stack, innermost first, without those of the trace itself; empty if none is known. The names of a
     * stack that is new are looked up when the list is first read: that takes a tenth of a second, and few signals are
     * read so far.
     *
     * @param callers return addresses; the object keeps the array
     */
    List<String> path(long[] callers) {
        return new LazyPath(callers);
    }

    private final class LazyPath extends AbstractList<String> {
        private final long[] callers;
        private volatile @Nullable List<String> known;

        LazyPath(long[] callers) {
            this.callers = callers;
        }

        private List<String> functions() {
            List<String> now = known;
            if (now == null) {
                now = find(callers);
                known = now;
            }
            return now;
        }

        @Override
        public String get(int index) {
            return functions().get(index);
        }

        @Override
        public int size() {
            return functions().size();
        }
    }

    private synchronized List<String> find(long[] callers) {
        Stack stack = new Stack(callers);
        List<String> path = paths.get(stack);
        if (path == null) {
            path = resolve(callers);
            paths.put(stack, path);
        }
        return path;
    }

    private List<String> resolve(long[] callers) {
        long[] unseen = Arrays.stream(callers)
                .distinct()
                .filter(address -> !names.containsKey(address))
                .toArray();
        if (unseen.length > 0) {
            new Search(unseen).read();
        }
        List<String> path = new ArrayList<>();
        for (long address : callers) {
            String name = names.getOrDefault(address, NONE);
            if (!name.isEmpty() && !(path.isEmpty() && isOfTheTrace(name))) {
                path.add(name);
            }
        }
        return List.copyOf(path);
    }

    private static boolean isOfTheTrace(String name) {
        return OF_THE_TRACE.stream().anyMatch(name::startsWith);
    }

    /**
     * One pass through the file. Most of its lines are in the order of their addresses, so a line is the best one so far
     * for many addresses, until the next line is: a name is copied only when the next line is no better.
     */
    private final class Search {
        private final long[] wanted;
        private final long[] best;
        private final String[] found;
        /** Whether the best line is the last one that was read. */
        private final boolean[] isLast;

        private final byte[] name = new byte[MAX_NAME_BYTES];
        private int nameBytes;

        Search(long[] wanted) {
            this.wanted = wanted;
            best = new long[wanted.length];
            isLast = new boolean[wanted.length];
            found = new String[wanted.length];
            Arrays.fill(found, NONE);
        }

        void read() {
            try (InputStream in = Files.newInputStream(file)) {
                readLines(in);
            } catch (IOException e) {
                // The addresses that were not found stay without a name.
            }
            for (int i = 0; i < wanted.length; i++) {
                keepName(i);
                names.put(wanted[i], found[i]);
            }
        }

        // ffffffff81371450 T __x64_sys_kill
        // ffffffffc0123450 t ovl_write	[overlay]
        private void readLines(InputStream in) throws IOException {
            byte[] buffer = new byte[BUFFER_BYTES];
            long address = 0;
            int column = 0;
            boolean isFunction = false;
            boolean better = false;
            for (int count = in.read(buffer); count > 0; count = in.read(buffer)) {
                for (int i = 0; i < count; i++) {
                    byte next = buffer[i];
                    if (next == '\n') {
                        address = 0;
                        column = 0;
                        better = false;
                    } else if (column == 0) {
                        if (next == ' ') {
                            column = 1;
                        } else {
                            address = (address << HEX_BITS) | (Character.digit(next, 1 << HEX_BITS) & 0xf);
                        }
                    } else if (column == 1) {
                        isFunction = next == 't' || next == 'T' || next == 'w' || next == 'W';
                        column = 2;
                    } else if (column == 2) {
                        better = isFunction && address != 0 && isBetter(address);
                        column = 3;
                    } else if (next == '\t') {
                        better = false;
                    } else if (better && nameBytes < MAX_NAME_BYTES) {
                        name[nameBytes++] = next;
                    }
                }
            }
        }

        /** Whether a function is nearer to a wanted address than all before; its name is read next. */
        private boolean isBetter(long address) {
            boolean better = false;
            for (int i = 0; i < wanted.length; i++) {
                better |= isBetter(i, address);
            }
            if (!better) {
                return false;
            }
            for (int i = 0; i < wanted.length; i++) {
                boolean nearer = isBetter(i, address);
                if (!nearer) {
                    keepName(i);
                }
                if (nearer) {
                    best[i] = address;
                }
                isLast[i] = nearer;
            }
            nameBytes = 0;
            return true;
        }

        /** A return address is behind the call, and so may be the start of the next function. */
        private boolean isBetter(int i, long address) {
            return Long.compareUnsigned(address, wanted[i]) < 0 && Long.compareUnsigned(address, best[i]) > 0;
        }

        private void keepName(int i) {
            if (isLast[i]) {
                found[i] = new String(name, 0, nameBytes, ISO_8859_1);
                isLast[i] = false;
            }
        }
    }
}
