/** libc, procfs, and the little that is built right on them. */
@NullMarked
package dev.exit137.agent.linux;

import org.jspecify.annotations.NullMarked;
