package dev.exit137.oomreport.explain;

import static dev.exit137.oomreport.explain.Reports.KIB;
import static dev.exit137.oomreport.explain.Reports.explanation;
import static dev.exit137.oomreport.explain.Reports.global;
import static dev.exit137.oomreport.explain.Reports.memcg;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import dev.exit137.proto.v1.Task;
import org.junit.jupiter.api.Test;

/** What a container's runtime knows, in words. */
class NamedContainerTest {
    private static final String CONTAINER = Reports.POD + "/" + Reports.CONTAINER;
    private static final String UID = "84c5437e-9503-4b52-8470-984c54f7e9f3";
    private static final String SIZE = " reached its memory limit of 512.0 MiB.";

    @Test
    void containerAtItsOwnLimitIsCalledByItsNameItsPodAndItsImage() {
        assertSays(
                "The kernel killed mysqld (pid 4711), which held 480.0 MiB, because container app of pod shop/cart-6f7 "
                        + "(image shop/cart:1.2)" + SIZE,
                named(at(memcg(), CONTAINER, CONTAINER)));
    }

    @Test
    void containerThatIsNotTheVictimsKeepsItsId() {
        OomKillEvent.Builder event = named(at(memcg(), CONTAINER, CONTAINER));
        event.getContainerBuilder().setId(Reports.CONTAINER.replace('0', '1'));
        assertSays("because container 024952d653ef", event);
        assertDoesNotSay("of pod", event);
    }

    @Test
    void podsLimitNamesThePodOnceAndTheContainerInWhichTheVictimWas() {
        assertSays(
                "The kernel killed mysqld (pid 4711) in container app of pod shop/cart-6f7 (image shop/cart:1.2), which "
                        + "held 480.0 MiB, because pod shop/cart-6f7, above it," + SIZE,
                named(at(memcg(), Reports.POD, CONTAINER)));
    }

    @Test
    void podsLimitThatIsTheContainersOwnIsSaidOfTheContainer() {
        OomKillEvent.Builder event = named(at(memcg(), Reports.POD, CONTAINER));
        event.getIncidentBuilder().getLimitBuilder().setOwnerCgroup(CONTAINER);
        assertSays(
                "The kernel killed mysqld (pid 4711), which held 480.0 MiB, because container app of pod shop/cart-6f7 "
                        + "(image shop/cart:1.2) reached its memory limit of 512.0 MiB, which is all of its pod's.",
                event);
    }

    @Test
    void processThatIsOneOfManyInItsContainerIsNotInnocentOfThatContainersOwnLimit() {
        OomKillEvent.Builder event = named(at(memcg(), Reports.POD, CONTAINER));
        event.getVictimBuilder().setAnonRssBytes(4 * KIB);
        event.getIncidentBuilder().getLimitBuilder().setOwnerCgroup(CONTAINER);
        assertDoesNotSay("others filled the limit", event);
        assertDoesNotSay("innocent", event);
    }

    @Test
    void limitThatNoLineNamesIsSaidToBeInferred() {
        OomKillEvent.Builder event = named(at(memcg(), CONTAINER, CONTAINER));
        event.getIncidentBuilder().getLimitBuilder().setInferred(true);
        assertSays("reached its memory limit of 512.0 MiB (inferred from its usage right after the kill).", event);
    }

    @Test
    void podsLimitWithAnInnocentVictimNamesBothInTheAdvice() {
        OomKillEvent.Builder event = named(at(memcg(), Reports.POD, CONTAINER));
        event.getVictimBuilder().setAnonRssBytes(4 * KIB);
        Explainer.explain(event);
        assertEquals(
                "Look at everything that shares the limit, not only at the victim: the limit is that of pod "
                        + "shop/cart-6f7, mysqld (pid 4711) is in container app of pod shop/cart-6f7 and held 4.0 KiB (< 1 %)",
                event.getRecommendations(0));
    }

    @Test
    void podsLimitWithAnInnocentVictimNamesTheOtherContainerThatHeldMost() {
        OomKillEvent.Builder event = named(at(memcg(), Reports.POD, CONTAINER));
        event.getVictimBuilder().setAnonRssBytes(4 * KIB);
        String other = Reports.CONTAINER.replace('0', '1');
        Task.Builder redis =
                Reports.task(5, "redis", 410 << 20, 0).toBuilder().setCgroupPath(Reports.POD + "/" + other);
        redis.getContainerBuilder()
                .setId(other)
                .setName("cache")
                .getPodBuilder()
                .setUid(UID)
                .setName("cart-6f7");
        event.getIncidentBuilder().addTasks(redis);
        assertSays(
                "It held < 1 % of what was in use; redis (pid 5) in container cache of the same pod held 410.0 MiB (80 %).",
                event);
    }

    @Test
    void ofANodesTasksTheLargestIsToldWithItsPod() {
        OomKillEvent.Builder event = global();
        event.getIncidentBuilder().setTaskMemcg("/system.slice/nginx.service").clearTrigger();
        Task.Builder redis =
                Reports.task(5, "redis", 14L << 30, -500).toBuilder().setCgroupPath(CONTAINER);
        redis.getContainerBuilder()
                .setId(Reports.CONTAINER)
                .setName("cache")
                .getPodBuilder()
                .setUid(UID)
                .setNamespace("shop")
                .setName("cart-6f7");
        event.getIncidentBuilder().addTasks(redis);
        assertSays("redis (pid 5) in container cache of pod shop/cart-6f7, -500, held 14.0 GiB.", event);
    }

    @Test
    void limitOfACgroupWithinTheContainerSaysInWhichOne() {
        assertSays(
                "because init.scope in container app of pod shop/cart-6f7 (image shop/cart:1.2)" + SIZE,
                named(at(memcg(), CONTAINER + "/init.scope", CONTAINER + "/init.scope")));
    }

    @Test
    void nodeWithoutMemorySaysWhichContainerPaidForIt() {
        OomKillEvent.Builder event = global();
        event.getIncidentBuilder().setTaskMemcg(CONTAINER);
        assertSays(
                "The kernel killed java (pid 815) in container 024952d653ef, which held 6.0 GiB, because the node ran out "
                        + "of memory.",
                event);
        assertSays(
                "The kernel killed java (pid 815) in container app of pod shop/cart-6f7 (image shop/cart:1.2), which held "
                        + "6.0 GiB, because the node ran out of memory.",
                named(event));
    }

    @Test
    void nodeWithoutMemorySaysWhichServicePaidForIt() {
        OomKillEvent.Builder event = global();
        event.getIncidentBuilder().setTaskMemcg("/system.slice/nginx.service");
        assertSays("The kernel killed java (pid 815) in nginx.service, which held", event);
    }

    @Test
    void sandboxHasNoNameButItsPodHas() {
        OomKillEvent.Builder event = named(at(memcg(), Reports.POD, CONTAINER));
        event.getContainerBuilder().clearName().clearImage();
        assertSays("(pid 4711) in container 024952d653ef of pod shop/cart-6f7, which held", event);
    }

    @Test
    void dockersContainerHasNoPod() {
        String cgroup = "/system.slice/docker-" + Reports.CONTAINER + ".scope";
        OomKillEvent.Builder event = at(memcg(), cgroup, cgroup);
        event.getContainerBuilder()
                .setId(Reports.CONTAINER)
                .setName("shop-db-1")
                .setImage("mysql:8");
        event.getVictimBuilder().setIsContainerInit(false);
        assertSays("because container shop-db-1 (image mysql:8)" + SIZE, event);
        assertSays(" It was not the container's main process: the container may live on.", event);
    }

    @Test
    void onlyACounterSawItAndTheRuntimeKnowsWhere() {
        OomKillEvent.Builder event = named(at(memcg(), CONTAINER, CONTAINER)).addEvidence(Evidence.MEMORY_EVENTS);
        event.clearVictim();
        assertSays(
                "The OOM killer killed a process because container app of pod shop/cart-6f7 (image shop/cart:1.2) "
                        + "reached its memory limit of 512.0 MiB; only a counter saw it",
                event);
        assertSays(
                "The OOM killer killed a process in container app of pod shop/cart-6f7 (image shop/cart:1.2); only a "
                        + "counter saw it",
                event.setScope(OomKillEvent.Scope.UNKNOWN).clearIncident());
    }

    @Test
    void mainProcessEndsItsContainer() {
        OomKillEvent.Builder event = named(at(memcg(), CONTAINER, CONTAINER));
        event.getVictimBuilder().setIsContainerInit(true);
        assertSays(" It was the container's main process, so the container ended.", event);
    }

    @Test
    void childsDeathIsOneThatKubernetesWillNotShow() {
        OomKillEvent.Builder event = named(at(memcg(), CONTAINER, CONTAINER));
        event.getVictimBuilder().setIsContainerInit(false);
        assertSays(
                " It was not the container's main process: the container may live on, and Kubernetes does not show this "
                        + "kill.",
                event);
    }

    @Test
    void whetherTheContainerOutlivedItIsSaidWhereItIsKnown() {
        OomKillEvent.Builder event = named(at(memcg(), CONTAINER, CONTAINER));
        event.getVictimBuilder().setIsContainerInit(false).setContainerOutlived(true);
        assertSays(
                " It was not the container's main process: the container lives on, and Kubernetes does not show this kill.",
                event);
        event.getVictimBuilder().setContainerOutlived(false);
        assertSays(" It was not the container's main process, and the container ended right after it.", event);
    }

    @Test
    void whetherItWasTheMainProcessIsNotGuessed() {
        assertDoesNotSay("main process", named(at(memcg(), CONTAINER, CONTAINER)));
    }

    /** The main process may be among the others. */
    @Test
    void childKilledWithItsGroupSaysNothingOfTheContainersLife() {
        OomKillEvent.Builder event = named(at(memcg(), CONTAINER, CONTAINER));
        event.getIncidentBuilder().setGroupKill(true).setKillsSoFar(3);
        event.getVictimBuilder().setIsContainerInit(false);
        assertDoesNotSay("live", event);
    }

    private static OomKillEvent.Builder at(OomKillEvent.Builder event, String limit, String victim) {
        event.getIncidentBuilder()
                .setOomMemcg(limit)
                .setTaskMemcg(victim)
                .getLimitBuilder()
                .setCgroup(limit);
        return event.setCgroupPath(victim);
    }

    private static OomKillEvent.Builder named(OomKillEvent.Builder event) {
        event.getContainerBuilder()
                .setRuntime("containerd")
                .setId(Reports.CONTAINER)
                .setName("app")
                .setImage("shop/cart:1.2")
                .getPodBuilder()
                .setUid(UID)
                .setNamespace("shop")
                .setName("cart-6f7");
        return event;
    }

    private static void assertSays(String words, OomKillEvent.Builder event) {
        String said = explanation(event);
        assertTrue(said.contains(words), said);
    }

    private static void assertDoesNotSay(String words, OomKillEvent.Builder event) {
        String said = explanation(event);
        assertFalse(said.contains(words), said);
    }
}
