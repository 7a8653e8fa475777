package dev.exit137.agent.exit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.exitreport.facts.End;
import dev.exit137.proto.v1.ExitEvent;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** An end that is told again before the agent is up must not lose what it was told with last. */
class LaterEndListenerTest {
    private final List<String> told = new ArrayList<>();
    private final EndListener listener = new EndListener() {
        @Override
        public void onEnd(End end) {
            told.add("end " + end.reported().getExitCode());
        }

        @Override
        public void onSuccess(End end) {
            told.add("success");
        }
    };

    private static End end(int code) {
        return new End(ExitEvent.newBuilder().setExitCode(code).build(), List.of(), null);
    }

    @Test
    void whatIsToldBeforeTheListenerIsThereComesInItsOrder() {
        LaterEndListener later = new LaterEndListener();
        later.onEnd(end(1));
        later.onSuccess(end(0));
        later.onEnd(end(2));
        assertThat(told).isEmpty();
        later.is(listener);
        later.onEnd(end(3));
        assertThat(told).containsExactly("end 1", "success", "end 2", "end 3");
    }
}
