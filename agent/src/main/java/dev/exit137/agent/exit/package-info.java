/**
 * The ends of containers and services: what the sources say is put together to one {@code End} for each end, whichever
 * sources saw it, and joined with the signals of the kernel's trace and with the OOM kills that this agent reports. This
 * package has no source of its own; {@code container} and {@code systemd} read them.
 */
@NullMarked
package dev.exit137.agent.exit;

import org.jspecify.annotations.NullMarked;
