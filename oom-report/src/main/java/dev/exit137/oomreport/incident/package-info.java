/** OOM reports assembled from their lines, as the kernel prints them (mm/oom_kill.c, mm/memcontrol.c). */
@NullMarked
package dev.exit137.oomreport.incident;

import org.jspecify.annotations.NullMarked;
