package dev.exit137.daemon.collect;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class BoundedMapTest {
    @Test
    void byInsertionTheFirstThatWasPutIsForgotten() {
        Map<String, Integer> map = BoundedMap.byInsertion(2);
        map.put("a", 1);
        map.put("b", 1);
        map.put("a", 2);
        map.get("a");
        map.merge("c", 1, Integer::sum);
        assertThat(map).containsOnlyKeys("b", "c");
        map.computeIfAbsent("d", key -> 1);
        assertThat(map).containsOnlyKeys("c", "d");
    }

    @Test
    void byAccessTheOneThatWasNotUsedForLongestIsForgotten() {
        Map<String, Integer> map = BoundedMap.byAccess(2);
        map.put("a", 1);
        map.put("b", 1);
        map.get("a");
        map.put("c", 1);
        assertThat(map).containsOnlyKeys("a", "c");
        map.put("a", 2);
        map.put("d", 1);
        assertThat(map).containsOnlyKeys("a", "d");
    }
}
