package dev.exit137.oomreport.explain;

import java.util.List;

/** One fact that a report can prove. */
interface Rule {
    /**
     * The findings that the rule proves for this OOM, the most important first; empty for none. Never throws, for any
     * report.
     */
    List<Finding> findings(Oom oom);
}
