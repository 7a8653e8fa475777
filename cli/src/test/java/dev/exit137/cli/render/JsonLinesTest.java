package dev.exit137.cli.render;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.cli.Events;
import dev.exit137.proto.v1.OomKillEvent;
import org.junit.jupiter.api.Test;

class JsonLinesTest {
    @Test
    void anEventIsOneLineInTheDefaultMappingThatToolsOutsideRelyOn() {
        OomKillEvent.Builder event = Events.inCgroup(7).clearIncident();
        event.getVictimBuilder().setComm("a\nb");
        assertThat(JsonLines.line(event))
                .isEqualTo("{\"eventId\":\"boot/kmsg/7\",\"revision\":1,"
                        + "\"time\":\"2026-05-01T12:30:00.125Z\",\"observedTime\":\"2026-05-01T12:30:00.125Z\","
                        + "\"node\":{\"name\":\"node-1\",\"kernelRelease\":\"6.1.0\"},\"scope\":\"MEMCG\",\"outcome\":\"KILLED\","
                        + "\"victim\":{\"pid\":7,\"comm\":\"a\\nb\",\"anonRssBytes\":\"32768000\",\"fileRssBytes\":\"131072\","
                        + "\"shmemRssBytes\":\"0\"},\"cgroupPath\":\"/scratch\","
                        + "\"evidence\":[\"KMSG_SUMMARY\",\"MEMORY_EVENTS\"],\"certainty\":\"CONFIRMED\"}");
    }
}
