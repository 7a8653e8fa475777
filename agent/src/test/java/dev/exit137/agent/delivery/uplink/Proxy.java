package dev.exit137.agent.delivery.uplink;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** The network between an agent and an aggregator, as bad as a test wants it. */
final class Proxy implements AutoCloseable {
    /** What becomes of the bytes. */
    enum Mood {
        /** They pass. */
        PASS,
        /** They pass one by one. */
        BYTEWISE,
        /** Connections are taken, and nothing passes. */
        STALL
    }

    private final ServerSocket server;
    private final int target;
    private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
    private volatile Mood mood = Mood.PASS;

    /** @param target port on loopback */
    Proxy(int target) {
        this.target = target;
        try {
            server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Thread.ofVirtual().start(this::accept);
    }

    String address() {
        return "localhost:" + server.getLocalPort();
    }

    synchronized void set(Mood newMood) {
        mood = newMood;
        notifyAll();
    }

    /** Every connection breaks. */
    void drop() {
        sockets.forEach(Proxy::close);
    }

    private void accept() {
        try {
            while (true) {
                Socket agent = server.accept();
                Socket aggregator = new Socket(InetAddress.getLoopbackAddress(), target);
                sockets.add(agent);
                sockets.add(aggregator);
                Thread.ofVirtual().start(() -> pass(agent, aggregator));
                Thread.ofVirtual().start(() -> pass(aggregator, agent));
            }
        } catch (IOException e) {
            drop();
        }
    }

    private void pass(Socket from, Socket to) {
        byte[] buffer = new byte[16 << 10];
        try (from;
                to) {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                int step = awaitPassage() == Mood.BYTEWISE ? 1 : count;
                for (int sent = 0; sent < count; sent += step) {
                    awaitPassage();
                    out.write(buffer, sent, Math.min(step, count - sent));
                }
            }
        } catch (IOException | InterruptedException e) {
            // The other end has gone, or the test is over.
        } finally {
            sockets.remove(from);
            sockets.remove(to);
        }
    }

    private synchronized Mood awaitPassage() throws InterruptedException {
        while (mood == Mood.STALL) {
            wait();
        }
        return mood;
    }

    private static void close(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        set(Mood.PASS);
        drop();
    }
}
