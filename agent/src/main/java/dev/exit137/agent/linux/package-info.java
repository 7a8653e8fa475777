/** libc, procfs, and a few types built directly on them. */
@NullMarked
package dev.exit137.agent.linux;

import org.jspecify.annotations.NullMarked;
