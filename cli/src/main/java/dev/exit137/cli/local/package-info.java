/** What a host without any daemon of exit137 still knows of an end: Docker, systemd, the kernel's ring, logins. */
@NullMarked
package dev.exit137.cli.local;

import org.jspecify.annotations.NullMarked;
