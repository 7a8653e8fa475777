package dev.exit137.cli.local;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** A unix socket that answers each request as a test says. */
public final class FakeDocker implements AutoCloseable {
    private final ServerSocketChannel server;

    /** @param answers the whole answer to the path of a request; null to say nothing and keep the connection */
    public FakeDocker(Path socket, Function<String, @Nullable String> answers) throws IOException {
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket));
        Thread.ofPlatform().daemon().start(() -> {
            try {
                while (true) {
                    answer(server.accept(), answers);
                }
            } catch (ClosedChannelException e) {
                // The end of the test.
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    /** An answer of status 200. */
    public static String ok(String body) {
        return "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + body;
    }

    private static void answer(SocketChannel client, Function<String, @Nullable String> answers) throws IOException {
        ByteBuffer request = ByteBuffer.allocate(1 << 16);
        StringBuilder text = new StringBuilder();
        while (text.indexOf("\r\n\r\n") < 0 && client.read(request.clear()) >= 0) {
            text.append(StandardCharsets.US_ASCII.decode(request.flip()));
        }
        String answer = answers.apply(text.toString().split(" ", 3)[1]);
        if (answer != null) {
            ByteBuffer bytes = ByteBuffer.wrap(answer.getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                client.write(bytes);
            }
            client.close();
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
