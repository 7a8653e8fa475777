/**
 * The memory cgroups of the node: their mount, their creation and removal, their kill counters, their processes, and
 * their files after a kill.
 *
 * @see <a href="https://docs.kernel.org/admin-guide/cgroup-v2.html">Control Group v2</a>
 * @see <a href="https://docs.kernel.org/admin-guide/cgroup-v1/memory.html">Memory Resource Controller (v1)</a>
 * @see <a href="https://man7.org/linux/man-pages/man7/inotify.7.html">inotify(7)</a>
 */
@NullMarked
package dev.exit137.agent.cgroup;

import org.jspecify.annotations.NullMarked;
