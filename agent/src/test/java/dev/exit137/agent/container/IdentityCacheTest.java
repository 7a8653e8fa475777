package dev.exit137.agent.container;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Container;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class IdentityCacheTest {
    private final Object runtime = new Object();
    private long now;
    private final IdentityCache cache = new IdentityCache(() -> now);

    private static Identity identity(String id, boolean running, Integer pid) {
        return new Identity(Container.newBuilder().setId(id).build(), Map.of(), running, pid, null);
    }

    @Test
    void aContainerThatWasRemovedAtOnceAfterItsDeathIsStillFoundForAWhile() {
        cache.put(runtime, identity("a", true, 7));
        cache.retain(runtime, Set.of());
        now = IdentityCache.KEEP_GONE.toNanos();
        cache.retain(runtime, Set.of());
        assertThat(cache.find("a")).isPresent();

        now++;
        cache.retain(runtime, Set.of());
        assertThat(cache.find("a")).isEmpty();
    }

    @Test
    void whatOneRuntimeDoesNotListIsNotTakenFromTheOther() {
        cache.put(runtime, identity("a", true, null));
        cache.retain(new Object(), Set.of());
        now = IdentityCache.KEEP_GONE.toNanos() + 1;
        cache.retain(new Object(), Set.of());
        assertThat(cache.find("a")).isPresent();
    }

    @Test
    void theMainPidIsStillKnownAfterTheRuntimeHasForgottenIt() {
        cache.put(runtime, identity("a", true, 7));
        cache.put(runtime, identity("a", false, null));

        assertThat(cache.find("a").orElseThrow().mainPid()).isEqualTo(7);
        assertThat(cache.find("a").orElseThrow().running()).isFalse();
    }

    @Test
    void itIsBoundedAndLosesWhatIsGoneFirst() {
        cache.put(runtime, identity("alive", true, null));
        cache.put(runtime, identity("gone", false, null));
        cache.retain(runtime, Set.of("alive"));
        for (int i = 0; i < IdentityCache.MAX_CONTAINERS - 1; i++) {
            cache.put(runtime, identity("c" + i, true, null));
        }

        assertThat(cache.size()).isEqualTo(IdentityCache.MAX_CONTAINERS);
        assertThat(cache.find("gone")).isEmpty();
        assertThat(cache.find("alive")).isPresent();
    }
}
