package dev.exit137.nativetest;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;

/**
 * A node in user space: boots User Mode Linux on this machine's root directory, read-only, and runs a plan of
 * {@code src/main/uml} in it. Needs neither root nor KVM.
 */
final class UmlBed {
    private static final Processors PROCESSORS = new Processors();

    private UmlBed() {}

    /** Boots a node with a ring that holds all of its records: see {@link #boot(String, int, String, Duration)}. */
    static UmlRun boot(String plan, int memoryMib, Duration limit) {
        return boot(plan, memoryMib, "4M", limit);
    }

    /**
     * Boots, waits for the end and returns the results. Skips the calling class if the machine lacks a program.
     *
     * @param plan name of the script
     * @param memoryMib the node's memory
     * @param ring log_buf_len; the kernel takes no less than the 16 KiB that it is built with
     * @param limit for the whole boot
     * @throws AssertionError if the plan did not come to its end; the message has the node's last output
     */
    static UmlRun boot(String plan, int memoryMib, String ring, Duration limit) {
        for (String program : List.of("linux.uml", "gcc", "make", "busybox")) {
            if (Bed.find(program).isEmpty()) {
                Bed.skip(
                        "the UML bed (" + plan + ")",
                        "no " + program
                                + " on PATH; on Debian: apt-get install user-mode-linux gcc libc6-dev make busybox-static");
            }
        }
        Path tools = Bed.buildTools();
        Path out = Bed.freshDirectory("uml-" + plan);
        String processor = PROCESSORS.take();
        var builder = new ProcessBuilder(
                // The node's processes are threads of control of one tracer: on one processor a switch costs a fifth
                // less.
                "taskset",
                "--cpu-list",
                processor,
                "linux.uml",
                "mem=" + memoryMib + "M",
                "root=/dev/root",
                "rootfstype=hostfs",
                "rootflags=/",
                "ro",
                "init=" + Bed.MODULE.resolve("src/main/uml/init.sh"),
                "con=null",
                "con0=fd:0,fd:1",
                "quiet",
                "loglevel=1",
                // No test here is about the throttling of writes to /dev/kmsg.
                "log_buf_len=" + ring,
                "printk.devkmsg=on",
                "BED_REPO=" + Bed.REPOSITORY,
                "BED_TOOLS=" + tools,
                "BED_OUT=" + out,
                "BED_PLAN=" + plan,
                "JAVA_HOME=" + System.getProperty("java.home"));
        // UML keeps the node's memory in a file in TMPDIR, and a control socket below HOME.
        builder.environment().put("TMPDIR", Files.isWritable(Path.of("/dev/shm")) ? "/dev/shm" : "/tmp");
        builder.environment().put("HOME", out.toString());
        Bed.Finished console;
        try {
            console = Bed.run(out, "console", limit, builder);
        } finally {
            PROCESSORS.giveBack(processor);
        }
        if (!Files.exists(out.resolve("done"))) {
            throw new AssertionError(
                    "the plan " + plan + " did not come to its end: " + Bed.lines(out.resolve("failure"))
                            + "; last steps: " + tail(out.resolve("plan.log")) + "; console: " + tail(console.out())
                            + "; agent: " + tail(out.resolve("agent.log")) + "; aggregator: "
                            + tail(out.resolve("aggregator.log")));
        }
        return UmlRun.read(out);
    }

    /**
     * The processors that this process may use, the last first: each goes to one node at a time while there are enough.
     */
    private static final class Processors {
        private final Deque<String> free = new ArrayDeque<>();

        Processors() {
            Bed.lines(Path.of("/proc/self/status")).stream()
                    .filter(line -> line.startsWith("Cpus_allowed_list:"))
                    // Cpus_allowed_list:	0-3,6
                    .flatMap(line ->
                            Arrays.stream(line.replaceFirst("[^0-9]*", "").split(",")))
                    .map(range -> range.split("-"))
                    .forEach(range -> {
                        int last = Integer.parseInt(range[range.length - 1]);
                        for (int processor = Integer.parseInt(range[0]); processor <= last; processor++) {
                            free.push(Integer.toString(processor));
                        }
                    });
        }

        synchronized String take() {
            String processor = free.removeFirst();
            // With fewer processors than nodes, the last one is shared.
            if (free.isEmpty()) {
                free.add(processor);
            }
            return processor;
        }

        synchronized void giveBack(String processor) {
            if (!free.contains(processor)) {
                free.addFirst(processor);
            }
        }
    }

    private static List<String> tail(Path file) {
        List<String> lines = Bed.lines(file);
        return lines.subList(Math.max(0, lines.size() - 15), lines.size());
    }
}
