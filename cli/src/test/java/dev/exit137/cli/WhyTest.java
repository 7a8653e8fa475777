package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.Pod;
import dev.exit137.proto.v1.ProcessRef;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The command why, asking an aggregator. */
class WhyTest {
    private FakeAggregator aggregator = new FakeAggregator();
    private final Session session = new Session();

    @AfterEach
    void close() {
        aggregator.close();
    }

    private int why(String... args) {
        String[] all = new String[args.length + 3];
        all[0] = "why";
        all[1] = "--server";
        all[2] = aggregator.address();
        System.arraycopy(args, 0, all, 3, args.length);
        return session.run(all);
    }

    private static ExitEvent.Builder inPod(String pod, String container) {
        ExitEvent.Builder event = Events.stopTimeout(container);
        event.setEventId("boot/exit/container/" + pod + container + "/1")
                .getContainerBuilder()
                .setId("fedcba9876543210" + pod + container)
                .setPod(Pod.newBuilder().setNamespace("shop").setName(pod).setUid("uid-" + pod));
        return event;
    }

    private static ExitEvent.Builder earlier(ExitEvent.Builder event, int seconds) {
        return event.setEventId(event.getEventId() + "-" + seconds)
                .setTime(Events.TIME.toBuilder().setSeconds(Events.TIME.getSeconds() - seconds))
                .setExplanation("It ended " + seconds + " s before.");
    }

    @Test
    void theLastEndsAreSentencesAndTheNewestIsAPage() {
        for (int i = 4; i >= 1; i--) {
            aggregator.exits.store(earlier(Events.stopTimeout("web"), 100 * i).build());
        }
        aggregator.exits.store(Events.stopTimeout("web").build());
        aggregator.exits.store(Events.stopTimeout("other").build());
        assertThat(why("web")).isZero();
        assertThat(session.out())
                .startsWith(
                        "docker:web on node-1: its last 3 ends, newest first",
                        "  2026-05-01 12:30:00.125  container web did not end in time.",
                        "  2026-05-01 12:28:20.125  It ended 100 s before.",
                        "  2026-05-01 12:26:40.125  It ended 200 s before.",
                        "",
                        "docker web on node-1: ended 2026-05-01 12:30:00.125, exit code 137")
                .contains("  cause    stop timeout: confirmed, independent sources agree")
                .noneMatch(line -> line.contains("other"))
                .allMatch(line -> line.length() <= 100);
        assertThat(session.err()).isEmpty();
    }

    @Test
    void oomKillsOfTheSameSubjectAreShownToo() {
        aggregator.store(
                Events.inPod().setExplanation("The kernel killed java.").build());
        aggregator.store(Events.inCgroup(5).build());
        aggregator.exits.store(inPod("cart-0", "app").build());
        assertThat(why("shop/cart-0", "--last", "1")).isZero();
        assertThat(session.out())
                .startsWith(
                        "pod:shop/cart-0: its last end",
                        "",
                        "shop/cart-0/app on node-1: ended 2026-05-01 12:30:00.125, exit code 137")
                .contains("OOM kills in it, newest first", "  2026-05-01 12:30:00.125  The kernel killed java.")
                .noneMatch(line -> line.contains("tail"));
    }

    @ParameterizedTest
    @CsvSource({
        "web, docker:web",
        "docker:web, docker:web",
        "89abcdef0123, docker:web",
        "nginx, unit:nginx.service",
        "nginx.service, unit:nginx.service",
        "unit:nginx, unit:nginx.service",
        "77, pid:77",
        "pid:77, pid:77",
        "event:boot/exit/unit, event:boot/exit/unit/nginx.service/1",
        "boot/exit/container/web/1, event:boot/exit/container/web/1",
        "cart-0, pod:shop/cart-0",
        "pod:cart-0, pod:shop/cart-0",
        "shop/cart-0, pod:shop/cart-0",
        "pod:shop/cart-0/app, pod:shop/cart-0/app",
        "app, pod:shop/cart-0/app",
    })
    void aSubjectIsFoundByEachOfItsNames(String subject, String meaning) {
        aggregator.exits.store(Events.stopTimeout("web").build());
        aggregator.exits.store(Events.killedUnit("nginx.service").build());
        aggregator.exits.store(inPod("cart-0", "app").build());
        assertThat(why(subject)).isZero();
        assertThat(session.out().getFirst()).startsWith(meaning);
    }

    @Test
    void aNameThatCanMeanSeveralThingsListsThemAndChoosesNone() {
        aggregator.exits.store(Events.stopTimeout("web").build());
        aggregator.exits.store(Events.stopTimeout("web")
                .setNode(Node.newBuilder().setName("node-2"))
                .build());
        aggregator.exits.store(Events.killedUnit("web.service").build());
        assertThat(why("web")).isEqualTo(1);
        assertThat(session.out()).isEmpty();
        assertThat(session.err())
                .first()
                .asString()
                .isEqualTo("exit137: 'web' can mean 3 things; ask for one of them:");
        assertThat(session.err())
                .contains(
                        "  docker:web --node node-1  (last seen 2026-05-01T12:30:00.125Z)",
                        "  docker:web --node node-2  (last seen 2026-05-01T12:30:00.125Z)",
                        "  unit:web.service --node node-1  (last seen 2026-05-01T12:30:00.125Z)");
    }

    @Test
    void aWholeNameWinsOverTheBeginningOfAnId() {
        aggregator.exits.store(Events.stopTimeout("89ab").build());
        aggregator.exits.store(Events.stopTimeout("web").build());
        assertThat(why("89ab")).isZero();
        assertThat(session.out().getFirst()).startsWith("docker:89ab ");
    }

    @Test
    void aPidWinsOverTheBeginningOfAnId() {
        aggregator.exits.store(Events.killedUnit("nginx.service")
                .setProcess(ProcessRef.newBuilder().setPid(8900))
                .build());
        ExitEvent.Builder container = Events.stopTimeout("web");
        container.getContainerBuilder().setId("8900abcdef");
        aggregator.exits.store(container.build());
        assertThat(why("8900")).isZero();
        assertThat(session.out().getFirst()).startsWith("pid:8900 ");
    }

    @Test
    void anUnknownNameIsAFailureWithTheNearestOnes() {
        aggregator.exits.store(inPod("cart-0", "app").build());
        aggregator.exits.store(Events.stopTimeout("postgres").build());
        assertThat(why("postgers")).isEqualTo(1);
        assertThat(session.err()).containsExactly("exit137: nothing is known of 'postgers'; did you mean postgres?");
    }

    @Test
    void nothingNearIsSaidPlainly() {
        assertThat(why("zzz")).isEqualTo(1);
        assertThat(session.err()).containsExactly("exit137: nothing is known of 'zzz'");
    }

    @Test
    void anOlderAggregatorAnswersWithOomKillsAndSaysWhatIsMissing() {
        aggregator.close();
        aggregator = new FakeAggregator(false);
        aggregator.store(
                Events.inPod().setExplanation("The kernel killed java.").build());
        assertThat(why("shop/cart-0/app")).isZero();
        assertThat(session.out())
                .containsExactly(
                        "pod:shop/cart-0/app: no end is known, but OOM kills in it",
                        "",
                        "OOM kills in it, newest first",
                        "  2026-05-01 12:30:00.125  The kernel killed java.",
                        "",
                        "Beside it",
                        "  not read - ends: this aggregator is older and knows no ends of containers and services");
    }

    @Test
    void jsonIsTheEventsEachWithItsKind() {
        aggregator.store(Events.inPod().build());
        aggregator.exits.store(inPod("cart-0", "app").build());
        assertThat(why("shop/cart-0", "-o", "json")).isZero();
        List<String> lines = session.out();
        assertThat(lines).hasSize(2);
        assertThat(lines.get(0)).startsWith("{\"kind\":\"exit\",\"eventId\":");
        assertThat(lines.get(1)).startsWith("{\"kind\":\"oom\",\"eventId\":");
    }

    @Test
    void missingEvidenceIsListedAndAnUnknownCauseClaimsNothing() {
        aggregator.exits.store(Events.killedUnit("nginx.service").build());
        assertThat(why("nginx")).isZero();
        assertThat(session.out()).contains("  cause    unknown", "  missing  - trace: tracefs is not mounted");
    }

    @Test
    void aContainerWithoutANameIsFoundByItsId() {
        aggregator.exits.store(Events.stopTimeout("x")
                .setContainer(Container.newBuilder().setRuntime("containerd").setId("abcdef0123456789"))
                .build());
        assertThat(why("abcdef01")).isZero();
        assertThat(session.out().getFirst()).startsWith("docker:abcdef0123456789 on node-1");
    }

    @Test
    void aNamedAggregatorThatDoesNotAnswerIsAFailureAndThisMachineIsNotAskedInstead() {
        aggregator.close();
        assertThat(why("web")).isEqualTo(1);
        assertThat(session.err())
                .singleElement()
                .asString()
                .startsWith("exit137: cannot reach the aggregator at " + aggregator.address());
        aggregator = new FakeAggregator();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "pid:web|'web' is not a pid: give a number, such as pid:4711",
                "unit:|the subject is empty",
                "pod:a/b/c/d|'a/b/c/d' is not a pod",
            })
    void aSubjectThatItsFormDoesNotAllowIsBadUsage(String line) {
        String[] parts = line.split("\\|", -1);
        assertThat(why(parts[0])).isEqualTo(2);
        assertThat(session.err()).first().asString().contains(parts[1]);
    }
}
