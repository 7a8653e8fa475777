package dev.exit137.daemon.collect;

import java.util.LinkedHashMap;
import java.util.Map;

/** Maps that forget their eldest entry when one more than fits is put. Each belongs to one thread, or needs a lock. */
public final class BoundedMap {
  private static final int INITIAL_CAPACITY = 16;
  private static final float LOAD_FACTOR = 0.75f;

  private BoundedMap() {}

  /** Forgets the entry whose key was put first; to put it again makes it no younger. */
  public static <K, V> Map<K, V> byInsertion(int maxEntries) {
    return bounded(maxEntries, false);
  }

  /** Forgets the entry that was put, or asked for, longest ago. */
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
