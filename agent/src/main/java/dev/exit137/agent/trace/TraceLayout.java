package dev.exit137.agent.trace;

import java.io.IOException;
import java.nio.file.Path;

/**
 * Where the fields of a page and of its records are, in bytes. It is read from tracefs when the agent starts: ids and
 * offsets differ between kernels.
 *
 * @param pageCommit offset of the page's {@code commit}, a long: the bytes of its records, and flags
 * @param pageData offset of its first record
 * @param pageDataBytes room for records
 * @param type offset of a record's type, 2 bytes
 * @param flags offset of its flags, 1 byte
 * @param pid offset of the thread that caused it, 4 bytes
 * @param signal the record of signal_generate
 * @param stack the record of a kernel stack
 */
record TraceLayout(
        int pageCommit, int pageData, int pageDataBytes, int type, int flags, int pid, Signal signal, Stack stack) {
    private static final int LONG = Long.BYTES;
    private static final int INT = Integer.BYTES;
    /** No page of any machine is larger. */
    private static final int MAX_PAGE_BYTES = 1 << 20;

    /**
     * {@code signal_generate}, include/trace/events/signal.h.
     *
     * @param id its type
     * @param end no field is behind this offset
     */
    record Signal(int id, int number, int code, int comm, int commBytes, int victim, int group, int result, int end) {}

    /**
     * {@code kernel_stack}, kernel/trace/trace_entries.h: the number of callers, and the callers.
     *
     * @param id its type
     */
    record Stack(int id, int size, int caller) {}

    /**
     * Reads the formats.
     *
     * @param events the directory {@code events} of tracefs
     * @throws IOException if a format is not understood; the message says which, and why
     */
    static TraceLayout read(Path events) throws IOException {
        EventFormat page = EventFormat.read(events.resolve("header_page"));
        EventFormat signal = EventFormat.read(events.resolve("signal/signal_generate/format"));
        EventFormat stack = EventFormat.read(events.resolve("ftrace/kernel_stack/format"));
        if (page.offset("timestamp", LONG) != 0) {
            throw new IOException(page.file() + ": a page does not begin with its time");
        }
        EventFormat.Field data = page.require("data");
        if (data.offset() < page.offset("commit", LONG) + LONG) {
            throw new IOException(page.file() + ": the records begin within the header");
        }
        if (data.offset() + data.size() > MAX_PAGE_BYTES) {
            throw new IOException(page.file() + ": a page of " + (data.offset() + data.size()) + " bytes");
        }
        EventFormat.Field comm = signal.require("comm");
        int end = 0;
        for (EventFormat.Field field : signal.fields().values()) {
            end = Math.max(end, field.offset() + field.size());
        }
        return new TraceLayout(
                page.offset("commit", LONG),
                data.offset(),
                data.size(),
                signal.offset("common_type", Short.BYTES),
                signal.offset("common_flags", Byte.BYTES),
                signal.offset("common_pid", INT),
                new Signal(
                        signal.requireId(),
                        signal.offset("sig", INT),
                        signal.offset("code", INT),
                        comm.offset(),
                        comm.size(),
                        signal.offset("pid", INT),
                        signal.offset("group", INT),
                        signal.offset("result", INT),
                        end),
                new Stack(
                        stack.requireId(),
                        stack.offset("size", INT),
                        stack.require("caller").offset()));
    }

    /** What one read takes: a whole page. */
    int pageBytes() {
        return pageData + pageDataBytes;
    }
}
