package dev.exit137.proto;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** docs/events.md says what the .proto files say: it is made from their comments, so that nothing is said twice. */
class EventReferenceTest {
    private static final Path DOCUMENT = Path.of(System.getProperty("exit137.root"), "docs/events.md");
    private static final String BEGIN = "<!-- From the .proto files' comments, by EventReferenceTest. -->\n";

    @Test
    void everyFieldAndValueStandsInTheDocumentAsTheProtoHasIt() throws IOException {
        String document = Files.readString(DOCUMENT);
        assertThat(document).contains(BEGIN);
        String current = document.substring(0, document.indexOf(BEGIN) + BEGIN.length()) + reference();

        if (Boolean.getBoolean("exit137.docs.write")) {
            Files.writeString(DOCUMENT, current);
        } else {
            assertThat(document)
                    .as(
                            "docs/events.md, which `mvn -pl proto test -Dtest=EventReferenceTest -Dexit137.docs.write=true` writes")
                    .isEqualTo(current);
        }
    }

    private static String reference() throws IOException {
        try (var in = Files.newInputStream(Path.of(System.getProperty("exit137.descriptors")))) {
            return new EventReference(FileDescriptorSet.parseFrom(in)).of("OomKillEvent", "ExitEvent", "AgentStatus");
        }
    }
}
