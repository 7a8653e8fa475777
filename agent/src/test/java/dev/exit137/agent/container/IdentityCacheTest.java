package dev.exit137.agent.container;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Container;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;

class IdentityCacheTest {
  private final Object runtime = new Object();
  private long now;
  private final IdentityCache cache = new IdentityCache(() -> now);

  private static Identity identity(String id, boolean running, OptionalInt pid) {
    return new Identity(Container.newBuilder().setId(id).build(), Map.of(), running, pid, Optional.empty());
  }

  @Test
  void aContainerThatWasRemovedAtOnceAfterItsDeathIsStillFoundForAWhile() {
    cache.put(runtime, identity("a", true, OptionalInt.of(7)));
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
    cache.put(runtime, identity("a", true, OptionalInt.empty()));
    cache.retain(new Object(), Set.of());
    now = IdentityCache.KEEP_GONE.toNanos() + 1;
    cache.retain(new Object(), Set.of());
    assertThat(cache.find("a")).isPresent();
  }

  @Test
  void theMainPidIsStillKnownAfterTheRuntimeHasForgottenIt() {
    cache.put(runtime, identity("a", true, OptionalInt.of(7)));
    cache.put(runtime, identity("a", false, OptionalInt.empty()));

    assertThat(cache.find("a").orElseThrow().mainPid()).hasValue(7);
    assertThat(cache.find("a").orElseThrow().running()).isFalse();
  }

  @Test
  void itIsBoundedAndLosesWhatIsGoneFirst() {
    cache.put(runtime, identity("alive", true, OptionalInt.empty()));
    cache.put(runtime, identity("gone", false, OptionalInt.empty()));
    cache.retain(runtime, Set.of("alive"));
    for (int i = 0; i < IdentityCache.MAX_CONTAINERS - 1; i++) {
      cache.put(runtime, identity("c" + i, true, OptionalInt.empty()));
    }

    assertThat(cache.size()).isEqualTo(IdentityCache.MAX_CONTAINERS);
    assertThat(cache.find("gone")).isEmpty();
    assertThat(cache.find("alive")).isPresent();
  }
}
