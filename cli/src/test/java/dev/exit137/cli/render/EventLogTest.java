package dev.exit137.cli.render;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import com.google.protobuf.util.JsonFormat;
import dev.exit137.cli.terminal.StopSignal;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.proto.v1.OomKillEvent;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class EventLogTest {
    private final Guard guard = new Guard();

    private static OomKillEvent event(String id, String comm) {
        OomKillEvent.Builder event = OomKillEvent.newBuilder().setEventId(id).setRevision(1);
        event.getVictimBuilder().setPid(7).setComm(comm).setAnonRssBytes(1L << 40);
        event.getNodeBuilder().setName("node-1").setCluster("shop");
        return event.build();
    }

    private EventLog to(OutputStream stdout) {
        return new EventLog(
                new Terminal(
                        new PrintStream(stdout, false, StandardCharsets.UTF_8),
                        System.err,
                        Map.of(),
                        InstantSource.system(),
                        ZoneOffset.UTC,
                        new StopSignal(Set.of())),
                guard);
    }

    @Test
    void eachEventIsALineOfJsonWhateverNamesAreInIt() throws Exception {
        ByteArrayOutputStream stdout = new ByteArrayOutputStream();
        List<OomKillEvent> events = List.of(event("a", "x\"}\n{\"eventId\":\"b\u2028"), event("c", "größer"));
        EventLog log = to(stdout);
        events.forEach(log::add);
        log.close();

        List<String> lines = List.of(stdout.toString(StandardCharsets.UTF_8).split("\n"));
        assertThat(lines).hasSize(2);
        for (int i = 0; i < 2; i++) {
            OomKillEvent.Builder read = OomKillEvent.newBuilder();
            JsonFormat.parser().merge(lines.get(i), read);
            assertThat(read.build()).isEqualTo(events.get(i));
        }
        assertThat(log.dropped()).isZero();
    }

    @Test
    void anEventThatHasNoJsonIsCountedAndTheNextIsALine() {
        ByteArrayOutputStream stdout = new ByteArrayOutputStream();
        EventLog log = to(stdout);
        // Later than any time that JSON has.
        log.add(event("a", "x").toBuilder()
                .setTime(Timestamp.newBuilder().setSeconds(Long.MAX_VALUE))
                .build());
        log.add(event("b", "x"));
        log.close();
        assertThat(stdout.toString(StandardCharsets.UTF_8).lines())
                .singleElement()
                .asString()
                .contains("\"b\"");
        assertThat(log.dropped()).isEqualTo(1);
        assertThat(guard.counts()).containsExactlyEntriesOf(Map.of("event-log", 1L));
    }

    @Test
    void anStdoutThatNobodyReadsIsCountedAndNoFailure() {
        EventLog log = to(new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException("Broken pipe");
            }
        });
        log.add(event("a", "x"));
        log.close();
        log.add(event("b", "x"));
        assertThat(log.dropped()).isEqualTo(2);
    }
}
