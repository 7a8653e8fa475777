/** The program's log, as a provider of slf4j: logfmt on stderr. */
@NullMarked
package dev.exit137.daemon.log;

import org.jspecify.annotations.NullMarked;
