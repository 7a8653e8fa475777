package dev.exit137.cli.local;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;

/**
 * Docker Engine's API over its unix socket, one connection for each request. HTTP/1.0, so that the answer ends with the
 * connection (RFC 1945).
 */
public final class DockerSocket implements DockerApi {
    private static final int MAX_ANSWER_BYTES = 32 << 20;
    private static final String BLANK_LINE = "\r\n\r\n";

    private final Path socket;
    private final Duration timeout;

    public DockerSocket(Path socket, Duration timeout) {
        this.socket = socket;
        this.timeout = timeout;
    }

    @Override
    public Optional<String> get(String path) throws IOException {
        long start = System.nanoTime();
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
                Selector selector = Selector.open()) {
            channel.connect(UnixDomainSocketAddress.of(socket));
            ByteBuffer request =
                    ByteBuffer.wrap(("GET " + path + " HTTP/1.0\r\nHost: docker\r\nConnection: close\r\n\r\n")
                            .getBytes(StandardCharsets.US_ASCII));
            while (request.hasRemaining()) {
                channel.write(request);
            }
            channel.configureBlocking(false);
            channel.register(selector, SelectionKey.OP_READ);
            ByteArrayOutputStream answer = new ByteArrayOutputStream();
            ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
            for (int count = 0; count >= 0; count = channel.read(buffer.clear())) {
                answer.write(buffer.array(), 0, count);
                long left = timeout.toMillis() - (System.nanoTime() - start) / 1_000_000;
                if (left <= 0 || answer.size() > MAX_ANSWER_BYTES) {
                    throw new IOException(
                            "Docker at " + socket + " does not answer within " + timeout.toSeconds() + " s");
                }
                selector.select(left);
                selector.selectedKeys().clear();
            }
            return body(answer.toString(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new IOException("Docker at " + socket + ": " + e.getMessage(), e);
        }
    }

    private Optional<String> body(String answer) throws IOException {
        int end = answer.indexOf(BLANK_LINE);
        String[] status = answer.split("[ \r]", 3);
        if (end < 0 || status.length < 3 || !status[0].startsWith("HTTP/1.")) {
            throw new IOException("what answers is not the Docker Engine API");
        }
        String head = answer.substring(0, end).toLowerCase(Locale.ROOT);
        String body = answer.substring(end + BLANK_LINE.length());
        return switch (status[1]) {
            case "200" -> Optional.of(head.contains("transfer-encoding: chunked") ? joined(body) : body);
            case "404" -> Optional.empty();
            default -> throw new IOException("it answers " + status[1]);
        };
    }

    /** Joins the chunks that a proxy may send (RFC 9112, 7.1); the sizes count bytes. */
    private static String joined(String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream whole = new ByteArrayOutputStream();
        int at = 0;
        while (at < bytes.length) {
            int line = at;
            while (line < bytes.length && bytes[line] != '\n') {
                line++;
            }
            String size = new String(bytes, at, line - at, StandardCharsets.US_ASCII)
                    .strip()
                    .split(";", 2)[0];
            int length;
            try {
                length = Integer.parseInt(size, 16);
            } catch (NumberFormatException e) {
                throw new IOException("a chunk of its answer is malformed", e);
            }
            if (length == 0) {
                break;
            }
            whole.write(bytes, line + 1, Math.min(length, bytes.length - line - 1));
            at = line + 1 + length + 2;
        }
        return whole.toString(StandardCharsets.UTF_8);
    }
}
