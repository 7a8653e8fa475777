package dev.exit137.aggregator.store;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitFilter;
import dev.exit137.proto.v1.OomKillEvent.Scope;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class EventQueryTest {
    /** Computed by the versions that knew kills alone: a page token that they gave is still good. */
    @Test
    void theFingerprintOfAQueryOfKillsIsTheOneOfOlderVersions() {
        EventFilter filter = EventFilter.newBuilder()
                .setNode("node-a")
                .setNamespace("shop")
                .setPod("cart-1")
                .setContainer("web")
                .addScopes(Scope.GLOBAL)
                .addScopes(Scope.MEMCG)
                .setSince(Timestamp.newBuilder().setSeconds(1))
                .build();

        assertThat(EventQuery.of(filter).fingerprint()).isEqualTo(-1009237343713525499L);
    }

    @Test
    void queriesOfOtherKindsAndOfOtherValuesHaveOtherFingerprints() {
        assertThat(Stream.of(
                        EventQuery.of(EventFilter.getDefaultInstance()),
                        EventQuery.of(ExitFilter.getDefaultInstance()),
                        EventQuery.of(ExitFilter.newBuilder().setUnit("u").build()),
                        EventQuery.of(ExitFilter.newBuilder()
                                .addCauses(Cause.OOM_KILL)
                                .build()),
                        EventQuery.of(ExitFilter.newBuilder().addExitCodes(1).build())))
                .extracting(EventQuery::fingerprint)
                .doesNotHaveDuplicates();
    }
}
