/** Formats of the kernel's procfs. */
@NullMarked
package dev.exit137.daemon.procfs;

import org.jspecify.annotations.NullMarked;
