/** OOM reports put together from their lines, as the kernel prints them (mm/oom_kill.c, mm/memcontrol.c). */
package dev.exit137.oomreport.incident;
