package dev.exit137.oomreport.event;

import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.QosClass;
import dev.exit137.proto.v1.Victim;

/**
 * Estimates the memory request of a burstable pod's container from the oom_score_adj that kubelet computes from it, <a
 * href="https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/qos/policy.go">policy.go</a>:
 * {@code 1000 - (1000 * memoryRequest) / memoryCapacity}, at least 3 (2 before 1.22), at most 999.
 */
public final class MemoryRequest {
    private static final int LEAST = 3;
    private static final int MOST = 999;

    private MemoryRequest() {}

    /**
     * Adds the estimate, where there is one.
     *
     * @param nodeMemoryBytes 0 where it is not known
     */
    public static void estimate(OomKillEvent.Builder event, long nodeMemoryBytes) {
        Victim victim = event.getVictim();
        boolean inContainer = !event.getContainer().getId().isEmpty();
        if (!inContainer
                || event.getContainer().getQosClass() != QosClass.QOS_CLASS_BURSTABLE
                || nodeMemoryBytes <= 0
                || !victim.hasOomScoreAdj()
                || victim.getOomScoreAdj() <= LEAST
                || victim.getOomScoreAdj() > MOST) {
            return;
        }
        long thousandth = nodeMemoryBytes / 1000;
        event.getContainerBuilder()
                .setMemoryRequestEstimateBytes((1000 - victim.getOomScoreAdj()) * thousandth)
                .setMemoryRequestErrorBytes(thousandth);
    }
}
