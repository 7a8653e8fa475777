package dev.exit137.cli.options;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

class StateDirectoryTest {
    @Test
    void aUserKeepsStateInTheHomeDirectory() {
        assertThat(StateDirectory.ofUser(Map.of("HOME", "/home/ann")))
                .isEqualTo(Path.of("/home/ann/.local/state/exit137"));
    }

    @Test
    void xdgStateHomeWinsUnlessItIsRelativeWhichItsRulesForbid() {
        assertThat(StateDirectory.ofUser(Map.of("HOME", "/home/ann", "XDG_STATE_HOME", "/state")))
                .isEqualTo(Path.of("/state/exit137"));
        assertThat(StateDirectory.ofUser(Map.of("HOME", "/home/ann", "XDG_STATE_HOME", "state")))
                .isEqualTo(Path.of("/home/ann/.local/state/exit137"));
    }
}
