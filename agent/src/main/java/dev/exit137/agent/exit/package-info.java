/**
 * The ends of containers and services: what runtimes and systemd report, joined with the signals that the kernel's trace
 * shows and with the OOM kills that this agent reports.
 */
@NullMarked
package dev.exit137.agent.exit;

import org.jspecify.annotations.NullMarked;
