/**
 * Learns how services end, from the systemd of the node: its properties and jobs over D-Bus, and its own lines in the
 * journal.
 *
 * <p>The properties: <a href="https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.systemd1.html">
 * org.freedesktop.systemd1(5)</a>; the lines: {@link dev.exit137.exitreport.facts.JournalLine}.
 */
@NullMarked
package dev.exit137.agent.systemd;

import org.jspecify.annotations.NullMarked;
