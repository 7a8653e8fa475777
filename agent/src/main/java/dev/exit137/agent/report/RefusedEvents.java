package dev.exit137.agent.report;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.protobuf.util.JsonFormat;
import dev.exit137.proto.v1.OomKillEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where events go that no aggregator takes, for a person to read: one JSON object per line. Agent-worker thread. */
final class RefusedEvents {
  private static final Logger LOG = LoggerFactory.getLogger(RefusedEvents.class);
  private static final long MAX_BYTES = 1 << 20;

  private final Path file;

  RefusedEvents(Path directory) {
    file = directory.resolve("refused.jsonl");
  }

  /** Says aloud that an event is given up, and writes it down; of much more than a MiB the oldest go. */
  void add(KeptEvent refused, String reason) {
    LOG.error("the aggregator refuses event {} revision {}: {}; it is not sent again, and kept in {}",
        refused.id(), refused.key.revision(), reason, file);
    try {
      if (Files.exists(file) && Files.size(file) > MAX_BYTES) {
        Files.move(file, file.resolveSibling("refused.1.jsonl"), StandardCopyOption.REPLACE_EXISTING);
      }
      String json = JsonFormat.printer().omittingInsignificantWhitespace().print(OomKillEvent.parseFrom(refused.event));
      Files.write(file, (json + "\n").getBytes(UTF_8), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      LOG.error("event {} cannot be kept: {}", refused.id(), e.toString());
    }
  }
}
