/** The event of an incident: its cgroup, its limit and its victim. A field without evidence stays absent. */
@NullMarked
package dev.exit137.oomreport.event;

import org.jspecify.annotations.NullMarked;
