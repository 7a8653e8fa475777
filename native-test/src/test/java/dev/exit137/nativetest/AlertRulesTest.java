package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The alerts fire when they should, and only then: the cases are in k8s/overlays/monitoring/alerts_test.yaml. */
@Tag("kernel")
class AlertRulesTest {
    @Test
    void everyAlertFiresInItsStoryAndNoOther() throws Exception {
        String promtool = AlertRules.program("promtool");
        Path out = Bed.freshDirectory("alert-rules");
        AlertRules.write(out);
        Path stories = Files.copy(AlertRules.OVERLAY.resolve("alerts_test.yaml"), out.resolve("alerts_test.yaml"));

        Bed.Finished tests = Bed.run(
                out,
                "promtool",
                Duration.ofMinutes(5),
                new ProcessBuilder(promtool, "test", "rules", stories.toString()));

        assertThat(tests.status())
                .as(String.join("\n", tests.outLines()) + tests.errText())
                .isZero();
    }

    @Test
    void everyAlertSaysWhatToDoAndHasAStory() throws Exception {
        String stories = Files.readString(AlertRules.OVERLAY.resolve("alerts_test.yaml"));
        String operations = Files.readString(Bed.REPOSITORY.resolve("docs/operations.md"));
        String[] alerts = Files.readString(AlertRules.OVERLAY.resolve("prometheusrule.yaml"))
                .split("- alert: ");
        assertThat(alerts).hasSizeGreaterThan(10);
        for (String alert : Arrays.copyOfRange(alerts, 1, alerts.length)) {
            String name = alert.lines().findFirst().orElseThrow();
            assertThat(alert).as(name).contains("severity: ", "summary: ", "description: ", "runbook: ");
            assertThat(stories).contains("alertname=\"" + name + '"');
            assertThat(operations).contains('`' + name + '`');
        }
    }
}
