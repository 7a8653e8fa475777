/**
 * An OOM in words: what happened, and what to do about it. {@link dev.exit137.oomreport.explain.Explainer} holds the rules
 * in one table; a new one is a method that looks at an {@link dev.exit137.oomreport.explain.Oom} and a line in that table.
 * A rule says what the kernel's report proves, with its numbers, and marks as a guess what is one.
 */
@NullMarked
package dev.exit137.oomreport.explain;

import org.jspecify.annotations.NullMarked;
