/** Causes and codes in words, for people. */
@NullMarked
package dev.exit137.exitreport.words;

import org.jspecify.annotations.NullMarked;
