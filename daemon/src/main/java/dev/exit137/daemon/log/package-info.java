/** What the program says of itself, as slf4j's provider: logfmt on stderr. */
package dev.exit137.daemon.log;
