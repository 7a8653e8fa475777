/**
 * The kernel's trace of signals: who sent a SIGKILL or a SIGTERM to whom. It is the trace event {@code signal_generate}
 * in a tracefs instance of the agent's own (<a href="https://docs.kernel.org/trace/ftrace.html#instances">ftrace</a>,
 * <a href="https://docs.kernel.org/trace/events.html">events</a>).
 */
@NullMarked
package dev.exit137.agent.trace;

import org.jspecify.annotations.NullMarked;
