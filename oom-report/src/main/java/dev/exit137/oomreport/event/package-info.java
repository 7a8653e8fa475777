/** The event made of an incident: its cgroup, its limit and its victim. What the evidence does not say stays absent. */
@NullMarked
package dev.exit137.oomreport.event;

import org.jspecify.annotations.NullMarked;
