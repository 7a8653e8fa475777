/**
 * The long blocks of an OOM report: the node's memory, a cgroup's statistics, the task table. They are read where there
 * is time: on the agent-worker thread and in {@code analyze}. Memory is bounded for any text, and no text is an error.
 *
 * <p>A report may begin or end anywhere, and lines of other drivers may come in between: a line counts only when it has
 * the kernel's form. If two lines give the same value, the first one counts.
 *
 * @see <a href="https://github.com/torvalds/linux/blob/master/mm/oom_kill.c">mm/oom_kill.c: dump_header</a>
 * @see <a href="https://github.com/torvalds/linux/blob/master/mm/show_mem.c">mm/show_mem.c (lib/show_mem.c and
 *     mm/page_alloc.c before 6.5)</a>
 * @see <a href="https://github.com/torvalds/linux/blob/master/mm/memcontrol.c">mm/memcontrol.c:
 *     mem_cgroup_print_oom_meminfo</a>
 */
@NullMarked
package dev.exit137.oomreport.dump;

import org.jspecify.annotations.NullMarked;
