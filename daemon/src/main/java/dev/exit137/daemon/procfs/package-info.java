/** Formats of the kernel's procfs. */
package dev.exit137.daemon.procfs;
