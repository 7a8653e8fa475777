/** The evidence about an end, from whichever source: a runtime, systemd, the kernel's trace of signals, or their records after the fact. */
@NullMarked
package dev.exit137.exitreport.facts;

import org.jspecify.annotations.NullMarked;
