/**
 * An OOM in words: the cause, and the recommended actions. {@link dev.exit137.oomreport.explain.Explainer} holds the
 * rules in one table; a new rule is a method that reads an {@link dev.exit137.oomreport.explain.Oom} and a line in
 * that table. A rule reports only facts that the kernel's report proves, with its numbers, and marks a guess as a
 * guess.
 */
@NullMarked
package dev.exit137.oomreport.explain;

import org.jspecify.annotations.NullMarked;
