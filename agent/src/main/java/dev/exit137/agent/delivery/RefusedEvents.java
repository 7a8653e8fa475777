package dev.exit137.agent.delivery;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.JsonObject;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import dev.exit137.proto.v1.PublishEventsRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Base64;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The file of the events that cannot be delivered, one JSON object per line, for an administrator. Agent-worker thread.
 */
final class RefusedEvents {
    private static final Logger LOG = LoggerFactory.getLogger(RefusedEvents.class);
    private static final long MAX_BYTES = 1 << 20;

    private final Path file;

    RefusedEvents(Path directory) {
        file = directory.resolve("refused.jsonl");
    }

    /**
     * Logs that an event is given up, and appends it to the file. A file of more than 1 MiB is first renamed, in place of
     * the one renamed before.
     */
    void add(KeptEvent refused, String reason) {
        LOG.error(
                "event {} revision {}: {}; it is not sent again, and kept in {}",
                refused.id(),
                refused.key.revision(),
                reason,
                file);
        try {
            if (Files.exists(file) && Files.size(file) > MAX_BYTES) {
                Files.move(file, file.resolveSibling("refused.1.jsonl"), StandardCopyOption.REPLACE_EXISTING);
            }
            Files.write(
                    file, (json(refused) + "\n").getBytes(UTF_8), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException e) {
            LOG.error("event {} cannot be kept: {}", refused.id(), e.toString());
        }
    }

    private static String json(KeptEvent refused) {
        try {
            PublishEventsRequest message = refused.message();
            return JsonFormat.printer()
                    .omittingInsignificantWhitespace()
                    .print(message.hasExit() ? message.getExit() : message.getEvent());
        } catch (InvalidProtocolBufferException e) {
            JsonObject undecoded = new JsonObject();
            undecoded.addProperty("eventId", refused.id());
            undecoded.addProperty("revision", refused.key.revision());
            undecoded.addProperty("undecodedBase64", Base64.getEncoder().encodeToString(refused.event.toByteArray()));
            return undecoded.toString();
        }
    }
}
