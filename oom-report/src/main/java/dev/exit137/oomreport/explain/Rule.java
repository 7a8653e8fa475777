package dev.exit137.oomreport.explain;

import java.util.List;

/** One thing that a report can prove. */
interface Rule {
  /** What it proves of this OOM, the most important first; empty for nothing. Throws nothing, whatever is printed. */
  List<Finding> findings(Oom oom);
}
