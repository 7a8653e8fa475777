package dev.exit137.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.exit137.agent.container.LabelFilter;
import dev.exit137.agent.container.RuntimeSockets;
import dev.exit137.agent.trace.SenderCommand;
import dev.exit137.daemon.tls.ClientSecurity;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class AgentConfigTest {

    private static AgentConfig config(String nodeName, List<String> aggregators, Duration counterGrace) {
        return new AgentConfig(
                nodeName,
                "",
                AgentConfig.DEFAULT_STATE_DIR,
                AgentConfig.DEFAULT_KMSG_PATH,
                null,
                AgentConfig.DEFAULT_PROC_ROOT,
                aggregators,
                ClientSecurity.PLAINTEXT,
                counterGrace,
                RuntimeSockets.USUAL,
                LabelFilter.DEFAULT,
                AgentConfig.DEFAULT_IDENTITY_TIMEOUT,
                AgentConfig.DEFAULT_SAMPLE_INTERVAL,
                AgentConfig.DEFAULT_SPOOL_BYTES,
                false,
                new SenderCommand(false),
                false,
                AgentConfig.DEFAULT_METRICS_MAX_SERIES,
                AgentConfig.DEFAULT_SYSTEMD_BUS,
                AgentConfig.DEFAULT_CONTAINERD_LOG);
    }

    @Test
    void theDefaultsAreThoseThatOthersRelyOn() {
        assertThat(AgentConfig.DEFAULT_STATE_DIR).isEqualTo(Path.of("/var/lib/exit137"));
        assertThat(AgentConfig.DEFAULT_KMSG_PATH).isEqualTo(Path.of("/dev/kmsg"));
        assertThat(AgentConfig.DEFAULT_PROC_ROOT).isEqualTo(Path.of("/proc"));
        assertThat(AgentConfig.DEFAULT_COUNTER_GRACE).isEqualTo(Duration.ofMillis(500));
        assertThat(AgentConfig.DEFAULT_IDENTITY_TIMEOUT).isEqualTo(Duration.ofMillis(250));
        assertThat(AgentConfig.DEFAULT_SAMPLE_INTERVAL).isEqualTo(Duration.ofSeconds(10));
        assertThat(AgentConfig.DEFAULT_SPOOL_BYTES).isEqualTo(64L << 20);
        assertThat(AgentConfig.DEFAULT_METRICS_MAX_SERIES).isEqualTo(1000);
        assertThat(AgentConfig.DEFAULT_SYSTEMD_BUS).isEqualTo("auto");
        assertThat(LabelFilter.DEFAULT.allowed()).contains("app.kubernetes.io/*", "app");
        assertThat(AgentConfig.DEFAULT_CONTAINERD_LOG).isEqualTo("auto");
        assertThat(RuntimeSockets.USUAL.cri())
                .contains(Path.of("/run/containerd/containerd.sock"), Path.of("/run/crio/crio.sock"));
    }

    @Test
    void anEmptyNodeNameIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> config(" ", List.of("a:1"), AgentConfig.DEFAULT_COUNTER_GRACE))
                .withMessageContaining("--node-name");
    }

    @Test
    void anAgentWithoutAnAggregatorIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> config("n", List.of(), AgentConfig.DEFAULT_COUNTER_GRACE))
                .withMessageContaining("--aggregator");
    }

    @Test
    void aGraceOutOfRangeIsRefusedWithTheRangeAndTheValue() {
        for (Duration grace : List.of(Duration.ofMillis(9), Duration.ofMillis(60_001))) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> config("n", List.of("a:1"), grace))
                    .withMessage("--counter-grace must be between 10ms and 60s, and is " + grace.toMillis() + "ms");
        }
    }
}
