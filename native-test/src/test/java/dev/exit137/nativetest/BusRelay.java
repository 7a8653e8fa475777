package dev.exit137.nativetest;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.IntUnaryOperator;

/**
 * Hands on the messages of a bus, and gives {@code ExecMainPID} the number that the process has out here. On a node,
 * systemd and the kernel's trace count processes alike; a systemd in a pid namespace does not. Each direction of each
 * connection has a thread of its own.
 *
 * <p>The form of a message: <a href="https://dbus.freedesktop.org/doc/dbus-specification.html">D-Bus specification</a>.
 */
final class BusRelay implements AutoCloseable {
    /** Bytes before the fields of the header. */
    private static final int FIXED = 16;
    /** A message of a little-endian machine begins so; a line of the handshake does not. */
    private static final int MESSAGE = 'l';
    /** Name, signature of its value, which is a uint32, and one byte to a multiple of four. */
    private static final byte[] MAIN_PID = "ExecMainPID\0\1u\0\0".getBytes(StandardCharsets.ISO_8859_1);

    private final Path bus;
    private final IntUnaryOperator pidOutHere;
    private final Map<Integer, Integer> known = new ConcurrentHashMap<>();
    private final ServerSocketChannel server;
    private final Queue<SocketChannel> open = new ConcurrentLinkedQueue<>();

    /** @param pidOutHere of a process of the namespace; 0 if it is gone */
    BusRelay(Path socket, Path bus, IntUnaryOperator pidOutHere) throws IOException {
        this.bus = bus;
        this.pidOutHere = pidOutHere;
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket));
        thread(this::accept);
    }

    private interface Task {
        void run() throws IOException;
    }

    /** A connection that ends is no failure: the test says what did not come. */
    private static void thread(Task task) {
        Thread.ofPlatform().daemon().name("bus-relay").start(() -> {
            try {
                task.run();
            } catch (IOException e) {
                // It has ended.
            }
        });
    }

    private void accept() throws IOException {
        while (true) {
            SocketChannel client = server.accept();
            SocketChannel daemon = SocketChannel.open(UnixDomainSocketAddress.of(bus));
            open.add(client);
            open.add(daemon);
            thread(() -> {
                try (client;
                        daemon) {
                    Channels.newInputStream(client).transferTo(Channels.newOutputStream(daemon));
                }
            });
            thread(() -> {
                try (client;
                        daemon) {
                    translate(Channels.newInputStream(daemon), Channels.newOutputStream(client));
                }
            });
        }
    }

    private void translate(InputStream from, OutputStream to) throws IOException {
        DataInputStream in = new DataInputStream(from);
        for (int first = in.read(); first >= 0; first = in.read()) {
            byte[] next = first == MESSAGE ? message(in) : line(first, in);
            to.write(next);
        }
    }

    private static byte[] line(int first, DataInputStream in) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int next = first; next >= 0; next = next == '\n' ? -1 : in.read()) {
            line.write(next);
        }
        return line.toByteArray();
    }

    private byte[] message(DataInputStream in) throws IOException {
        byte[] head = new byte[FIXED];
        head[0] = MESSAGE;
        in.readFully(head, 1, FIXED - 1);
        ByteBuffer numbers = ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN);
        int fields = (numbers.getInt(12) + 7) & ~7;
        byte[] whole = Arrays.copyOf(head, FIXED + fields + numbers.getInt(4));
        in.readFully(whole, FIXED, whole.length - FIXED);
        ByteBuffer message = ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = FIXED; i <= whole.length - MAIN_PID.length - Integer.BYTES; i += Integer.BYTES) {
            if (Arrays.equals(whole, i, i + MAIN_PID.length, MAIN_PID, 0, MAIN_PID.length)) {
                int inside = message.getInt(i + MAIN_PID.length);
                message.putInt(i + MAIN_PID.length, inside == 0 ? 0 : outHere(inside));
            }
        }
        return whole;
    }

    /** A process is asked for while it lives; its end is told later. */
    private int outHere(int inside) {
        int before = known.getOrDefault(inside, 0);
        if (before != 0) {
            return before;
        }
        int found = pidOutHere.applyAsInt(inside);
        if (found != 0) {
            known.put(inside, found);
        }
        return found;
    }

    /** Whether a client has been told of this process of the namespace. */
    boolean knows(int inside) {
        return known.containsKey(inside);
    }

    @Override
    public void close() throws IOException {
        server.close();
        for (SocketChannel each : open) {
            each.close();
        }
    }
}
