/** What a person asks about with {@code exit137 why}, and the answer: ends, OOM kills and facts of one subject. */
@NullMarked
package dev.exit137.cli.why;

import org.jspecify.annotations.NullMarked;
