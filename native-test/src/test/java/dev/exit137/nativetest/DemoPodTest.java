package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The pod of k8s/demo.yaml is killed: its command, with BusyBox's programs, fills its limit. */
@Tag("kernel")
class DemoPodTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final Path DEMO = Bed.REPOSITORY.resolve("k8s/demo.yaml");
    private static final int SIGKILL = 128 + 9;

    @Test
    void itsCommandIsKilledAtItsLimit() throws IOException {
        Path busybox = Bed.find("busybox").orElse(null);
        if (busybox == null) {
            Bed.skip("the demo pod", "no busybox on PATH; on Debian: apt-get install busybox-static");
        }
        JsonNode container = new YAMLMapper().readTree(DEMO.toFile()).at("/spec/containers/0");
        String memory = container.at("/resources/limits/memory").asText();
        assertThat(memory).endsWith("Mi");
        Path out = Bed.freshDirectory("demo-pod");
        Path programs = Files.createDirectory(out.resolve("bin"));
        for (String name : List.of("sh", "head", "tail")) {
            Files.createSymbolicLink(programs.resolve(name), busybox);
        }
        List<String> command = new ArrayList<>();
        container.at("/command").forEach(word -> command.add(word.asText()));
        assertThat(command).first().isEqualTo("sh");
        command.set(0, programs.resolve("sh").toString());
        try (ScratchCgroup cgroup = ScratchCgroup.make("the demo pod", "demo-pod")) {
            cgroup.limit(Long.parseLong(memory.replace("Mi", "")) << 20);
            List<String> entering = new ArrayList<>(
                    List.of("/bin/sh", "-c", cgroup.enter() + "PATH=" + programs + " exec \"$@\"", "sh"));
            entering.addAll(command);
            Bed.Finished finished = Bed.run(out, "demo", LIMIT, new ProcessBuilder(entering));
            assertThat(finished.status()).as(finished.errText()).isEqualTo(SIGKILL);
        }
    }
}
