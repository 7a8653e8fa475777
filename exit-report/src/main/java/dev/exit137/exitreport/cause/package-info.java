/** From the evidence to the cause: one table of rules. */
@NullMarked
package dev.exit137.exitreport.cause;

import org.jspecify.annotations.NullMarked;
