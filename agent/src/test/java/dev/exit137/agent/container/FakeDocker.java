package dev.exit137.agent.container;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.URLDecoder;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/** A Docker Engine on a unix socket that answers as a test says, and tells its events when the test says. */
final class FakeDocker implements AutoCloseable {
    private static final String HEAD = "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\n"
            + "Server: Docker/20.10.24 (linux)\r\nTransfer-Encoding: chunked\r\n\r\n";

    private final ServerSocketChannel server;
    private final Map<String, String> answers = new ConcurrentHashMap<>();
    private final List<SocketChannel> watchers = new CopyOnWriteArrayList<>();
    private final List<String> watched = new CopyOnWriteArrayList<>();
    private final List<String> kept = new CopyOnWriteArrayList<>();

    FakeDocker(Path socket) {
        answers("/containers/json", "[]");
        try {
            server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
            server.bind(UnixDomainSocketAddress.of(socket));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Thread.ofVirtual().start(this::serve);
    }

    /** From now on, this is the answer. Other paths are not found. */
    void answers(String path, String json) {
        answers.put(path, HEAD + chunk(json) + "0\r\n\r\n");
    }

    void forgets(String path) {
        answers.remove(path);
    }

    /** A line that the next stream begins with. */
    void keeps(String line) {
        kept.add(line);
    }

    /** Tells all who watch. */
    void says(String line) {
        for (SocketChannel watcher : watchers) {
            write(watcher, chunk(line + "\n"));
        }
    }

    /** The queries of the streams, in their order. */
    List<String> watched() {
        return watched;
    }

    void breaksStreams() {
        for (SocketChannel watcher : watchers) {
            watchers.remove(watcher);
            close(watcher);
        }
    }

    private static String chunk(String text) {
        return Integer.toHexString(text.getBytes(StandardCharsets.UTF_8).length) + "\r\n" + text + "\r\n";
    }

    private void serve() {
        try {
            while (true) {
                SocketChannel client = server.accept();
                Thread.ofVirtual().start(() -> answer(client));
            }
        } catch (IOException e) {
            // The test is over.
        }
    }

    private void answer(SocketChannel client) {
        try {
            ByteBuffer request = ByteBuffer.allocate(4096);
            client.read(request);
            String path = new String(request.array(), 0, request.position(), StandardCharsets.US_ASCII).split(" ")[1];
            if (path.startsWith("/events")) {
                write(client, HEAD);
                kept.forEach(line -> write(client, chunk(line + "\n")));
                watchers.add(client);
                watched.add(URLDecoder.decode(path, StandardCharsets.UTF_8));
                return;
            }
            write(
                    client,
                    answers.getOrDefault(path.split("\\?")[0], "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
            close(client);
        } catch (IOException e) {
            // The client has ended.
        }
    }

    private static void write(SocketChannel client, String text) {
        try {
            client.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
        } catch (IOException e) {
            // The client has ended.
        }
    }

    private static void close(SocketChannel client) {
        try {
            client.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        breaksStreams();
        try {
            server.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
