/** What the program says of itself, as slf4j's provider: logfmt on stderr. */
@NullMarked
package dev.exit137.daemon.log;

import org.jspecify.annotations.NullMarked;
