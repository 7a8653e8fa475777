/** libc, and the little that is built right on it. */
@NullMarked
package dev.exit137.agent.linux;

import org.jspecify.annotations.NullMarked;
