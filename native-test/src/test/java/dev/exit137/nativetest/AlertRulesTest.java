package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** The alerts fire when they should, and only then: the stories are in k8s/overlays/monitoring/alerts_test.yaml. */
class AlertRulesTest {
  @Test
  void everyAlertFiresInItsStoryAndNoOther() throws Exception {
    String promtool = AlertRules.program("promtool");
    Path out = Bed.freshDirectory("alert-rules");
    AlertRules.write(out);
    Path stories = Files.copy(AlertRules.OVERLAY.resolve("alerts_test.yaml"), out.resolve("alerts_test.yaml"));

    Bed.Finished tests = Bed.run(
        out, "promtool", Duration.ofMinutes(5), new ProcessBuilder(promtool, "test", "rules", stories.toString()));

    assertThat(tests.status()).as(String.join("\n", tests.outLines()) + tests.errText()).isZero();
  }
}
