package dev.exit137.daemon.metrics;

import com.google.protobuf.Descriptors.FieldDescriptor;
import dev.exit137.proto.v1.Losses;
import java.util.LinkedHashMap;
import java.util.Map;

/** The fields of {@link Losses} as the values of a metric's label {@code kind}. */
public final class LossKinds {
    private LossKinds() {}

    /**
     * Returns the count of each kind by the name of its field, zeros included; a kind that is counted per place has the
     * sum of its places.
     */
    public static Map<String, Long> of(Losses losses) {
        Map<String, Long> kinds = new LinkedHashMap<>();
        for (FieldDescriptor field : Losses.getDescriptor().getFields()) {
            long count = field.getNumber() == Losses.INTERNAL_ERRORS_FIELD_NUMBER
                    ? losses.getInternalErrorsMap().values().stream()
                            .mapToLong(Long::longValue)
                            .sum()
                    : (Long) losses.getField(field);
            kinds.put(field.getName(), count);
        }
        return kinds;
    }
}
