/**
 * The kernel's text: records of /dev/kmsg, and the lines of an OOM report in them.
 *
 * <p>All code here reads bytes in place and allocates nothing after construction, except methods that return a String:
 * it runs on the thread that must read a cgroup's files before they are gone. One instance belongs to one thread.
 *
 * @see <a href="https://www.kernel.org/doc/Documentation/ABI/testing/dev-kmsg">Documentation/ABI/testing/dev-kmsg</a>
 * @see <a href="https://github.com/torvalds/linux/blob/master/mm/oom_kill.c">mm/oom_kill.c</a>
 */
@NullMarked
package dev.exit137.oomreport.parse;

import org.jspecify.annotations.NullMarked;
