package dev.exit137.daemon.collect;

import java.util.LinkedHashMap;
import java.util.Map;

/** Maps that evict their eldest entry when a put exceeds their size. Not thread-safe. */
public final class BoundedMap {
    private static final int INITIAL_CAPACITY = 16;
    private static final float LOAD_FACTOR = 0.75f;

    private BoundedMap() {}

    /** Evicts the entry with the key that was first put longest ago; a repeated put does not renew an entry. */
    public static <K, V> Map<K, V> byInsertion(int maxEntries) {
        return bounded(maxEntries, false);
    }

    /** Evicts the least recently used entry. */
    public static <K, V> Map<K, V> byAccess(int maxEntries) {
        return bounded(maxEntries, true);
    }

    private static <K, V> Map<K, V> bounded(int maxEntries, boolean accessOrder) {
        return new LinkedHashMap<>(INITIAL_CAPACITY, LOAD_FACTOR, accessOrder) {
            @Override
            protected boolean removeEldestEntry(Map.Entry<K, V> eldest) {
                return size() > maxEntries;
            }
        };
    }
}
