package dev.exit137.agent.history;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Limit;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Outcome;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import dev.exit137.proto.v1.WorkloadHistory;
import dev.exit137.proto.v1.WorkloadOom;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WorkloadsTest {
    private static final long MIB = 1L << 20;
    private static final String CGROUP = "/kubepods/burstable/pod84c5437e-9503-4b52-8470-984c54f7e9f3/app";
    private final Workloads workloads = new Workloads(List.of());

    @Test
    void workloadIsCalledWhatOutlivesItsPods() {
        OomKillEvent.Builder event = OomKillEvent.newBuilder();
        assertThat(Workloads.workload(event)).isEmpty();
        event.getContainerBuilder().setId("4f0c");
        assertThat(Workloads.workload(event.setUnit("app.service")))
                .as("a container without a name")
                .isEmpty();
        event.getContainerBuilder()
                .setName("app")
                .getPodBuilder()
                .setNamespace("shop")
                .setName("cart-6f7");
        assertThat(Workloads.workload(event)).isEqualTo("shop/cart-6f7/app");
        event.getContainerBuilder().getPodBuilder().putLabels("app", "cart");
        assertThat(Workloads.workload(event)).isEqualTo("shop/cart/app");
        event.getContainerBuilder().getPodBuilder().putLabels("app.kubernetes.io/name", "redis");
        assertThat(Workloads.workload(event)).isEqualTo("shop/redis/app");
        event.getContainerBuilder().getPodBuilder().putLabels("app.kubernetes.io/instance", "redis-blue");
        assertThat(Workloads.workload(event)).isEqualTo("shop/redis/redis-blue/app");
    }

    @ParameterizedTest
    @CsvSource({
        "report-x7k2p, batch.kubernetes.io/job-name, report, report",
        "report-29933433-lhxf5, batch.kubernetes.io/job-name, report-29933433, report",
        "cart-75b5b6bdd6-fl29w, pod-template-hash, 75b5b6bdd6, cart",
        "db-12, apps.kubernetes.io/pod-index, 12, db",
        "log-agent-x7k2p, pod-template-generation, 3, log-agent",
        "renamed, pod-template-hash, 75b5b6bdd6, renamed"
    })
    void withoutALabelForPeopleItIsTheControllersName(String pod, String label, String value, String name) {
        OomKillEvent.Builder event = OomKillEvent.newBuilder();
        event.getContainerBuilder()
                .setName("app")
                .getPodBuilder()
                .setNamespace("shop")
                .setName(pod)
                .putLabels(label, value);
        assertThat(Workloads.workload(event)).isEqualTo("shop/" + name + "/app");
    }

    @Test
    void onDockerItIsTheComposeServiceElseTheContainer() {
        OomKillEvent.Builder event = OomKillEvent.newBuilder();
        event.getContainerBuilder().setId("4f0c").setName("shop-db-1");
        assertThat(Workloads.workload(event)).isEqualTo("shop-db-1");
        event.putComposeLabels("com.docker.compose.project", "shop")
                .putComposeLabels("com.docker.compose.service", "db");
        assertThat(Workloads.workload(event)).isEqualTo("shop/db");
    }

    @Test
    void serviceIsAWorkloadAndASessionIsNot() {
        assertThat(Workloads.workload(OomKillEvent.newBuilder().setUnit("nginx.service")))
                .isEqualTo("nginx.service");
        assertThat(Workloads.workload(OomKillEvent.newBuilder().setUnit("session-3.scope")))
                .isEmpty();
    }

    @Test
    void historyBeginsWithTheSecondOom() {
        assertThat(add(event(1, 100)).hasWorkloadHistory()).isFalse();
        WorkloadHistory second = add(event(2, 160)).getWorkloadHistory();
        assertThat(second.getWorkload()).isEqualTo("shop/cart/app");
        assertThat(second.getOoms()).isEqualTo(2);
        assertThat(second.getFirstTime().getSeconds()).isEqualTo(100);
        assertThat(second.getRecentList())
                .extracting(oom -> oom.getTime().getSeconds())
                .containsExactly(100L, 160L);
        assertThat(second.getRecent(1).getComm()).isEqualTo("java");
        assertThat(second.getRecent(1).getAnonRssBytes()).isEqualTo(250 * MIB);
        assertThat(second.getRecent(1).getOwnLimitBytes()).isEqualTo(256 * MIB);
    }

    @Test
    void laterRevisionTellsTheSameAndIsNotCounted() {
        add(event(1, 100));
        WorkloadHistory first = add(event(2, 160)).getWorkloadHistory();
        assertThat(add(event(2, 160).setRevision(2)).getWorkloadHistory()).isEqualTo(first);
        OomKillEvent.Builder withItsRecord = event(2, 160).setRevision(3);
        withItsRecord.getIncidentBuilder().setId("of the record");
        assertThat(add(withItsRecord).getWorkloadHistory())
                .as("first a counter alone saw it")
                .isEqualTo(first);
        assertThat(add(event(3, 200)).getWorkloadHistory().getOoms()).isEqualTo(3);
    }

    @Test
    void groupThatIsKilledTogetherIsOneOom() {
        add(event(1, 100));
        add(event(2, 160));
        OomKillEvent.Builder another = event(3, 160);
        another.getIncidentBuilder().setId("incident 2");
        assertThat(add(another).getWorkloadHistory().getOoms()).isEqualTo(2);
    }

    @Test
    void otherWorkloadsOomIsNotCounted() {
        add(event(1, 100));
        OomKillEvent.Builder other = event(2, 160);
        other.getContainerBuilder().setName("sidecar");
        assertThat(add(other).hasWorkloadHistory()).isFalse();
    }

    @Test
    void whatHasNoTimeNoNameOrNoKillIsNotCounted() {
        add(event(1, 100));
        assertThat(add(event(2, 160).clearTime()).hasWorkloadHistory()).isFalse();
        assertThat(add(event(3, 160).setOutcome(Outcome.KILL_NOT_SEEN)).hasWorkloadHistory())
                .isFalse();
        OomKillEvent.Builder unnamed = event(4, 160);
        unnamed.getContainerBuilder().clearName();
        assertThat(add(unnamed).hasWorkloadHistory()).isFalse();
        assertThat(add(event(5, 170)).getWorkloadHistory().getOoms()).isEqualTo(2);
    }

    @Test
    void onlyALimitOfItsOwnIsItsOwnAndOnlyAPeakThatNoneCappedIsKept() {
        OomKillEvent.Builder podsLimit = event(1, 100);
        podsLimit
                .getIncidentBuilder()
                .getLimitBuilder()
                .setOwner(Limit.Owner.POD)
                .setCgroup(CGROUP.substring(0, CGROUP.lastIndexOf('/')));
        podsLimit.getAfterKillBuilder().setPeakBytes(90 * MIB).setMaxBytes(-1);
        add(podsLimit);
        OomKillEvent.Builder atMax = event(2, 160).setScope(Scope.GLOBAL);
        atMax.getIncidentBuilder().getLimitBuilder().setOwner(Limit.Owner.NODE).setCgroup("");
        atMax.getAfterKillBuilder().setPeakBytes(256 * MIB).setMaxBytes(256 * MIB);
        add(atMax);
        OomKillEvent.Builder own = event(3, 200);
        own.getAfterKillBuilder().setPeakBytes(256 * MIB).setMaxBytes(256 * MIB);
        List<WorkloadOom> recent = add(own).getWorkloadHistory().getRecentList();
        assertThat(recent).extracting(WorkloadOom::hasOwnLimitBytes).containsExactly(false, false, true);
        assertThat(recent).extracting(WorkloadOom::hasUncappedPeakBytes).containsExactly(true, false, false);
    }

    @Test
    void manyWorkloadsAndManyOomsAreBounded() {
        for (int i = 0; i < 3 * Workloads.MAX_WORKLOADS; i++) {
            OomKillEvent.Builder other = event(1000 + i, 50);
            other.getContainerBuilder().setName("app-" + i);
            add(other);
            add(event(10_000 + i, 100 + i));
        }
        assertThat(workloads.histories()).hasSize(Workloads.MAX_WORKLOADS);
        WorkloadHistory busy = workloads.histories().getLast();
        assertThat(busy.getOoms()).isEqualTo(3 * Workloads.MAX_WORKLOADS);
        assertThat(busy.getFirstTime().getSeconds()).isEqualTo(100);
        assertThat(busy.getRecentList()).hasSize(Workloads.MAX_RECENT);
    }

    @Test
    void whatIsRememberedGoesOn() {
        add(event(1, 100));
        add(event(2, 160));
        Workloads next = new Workloads(workloads.histories());
        OomKillEvent.Builder third = event(3, 200);
        next.add(third);
        assertThat(third.getWorkloadHistory().getOoms()).isEqualTo(3);
        assertThat(third.getWorkloadHistory().getFirstTime().getSeconds()).isEqualTo(100);
    }

    private OomKillEvent.Builder add(OomKillEvent.Builder event) {
        workloads.add(event);
        return event;
    }

    private static OomKillEvent.Builder event(int number, long seconds) {
        OomKillEvent.Builder event = OomKillEvent.newBuilder()
                .setEventId("event " + number)
                .setOutcome(Outcome.KILLED)
                .setScope(Scope.MEMCG)
                .setCgroupPath(CGROUP);
        event.getTimeBuilder().setSeconds(seconds);
        event.getVictimBuilder().setComm("java").setAnonRssBytes(250 * MIB);
        event.getIncidentBuilder()
                .setId("incident " + number)
                .getLimitBuilder()
                .setOwner(Limit.Owner.CONTAINER)
                .setCgroup(CGROUP)
                .setLimitBytes(256 * MIB);
        event.getContainerBuilder()
                .setId("4f0c")
                .setName("app")
                .getPodBuilder()
                .setNamespace("shop")
                .setName("cart-6f7")
                .putLabels("app", "cart");
        return event;
    }
}
