package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class VersionTest {
    @Test
    void theImageThatIsDeployedIsOfThisVersion() throws Exception {
        Session session = new Session();
        session.run("--version");
        String version = session.nextLine().replace("exit137 ", "");
        Path deployment = Path.of(System.getProperty("exit137.root"), "k8s/base/kustomization.yaml");
        assertThat(Files.readString(deployment)).contains("newTag: " + version + "\n");
    }
}
