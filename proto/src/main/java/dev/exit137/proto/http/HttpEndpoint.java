package dev.exit137.proto.http;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers GET and HEAD, one request a connection, on one thread, exit137-http, that never waits for a client. Whoever
 * sends slowly or does not read is dropped after a while, and sooner where others come: the oldest connection goes
 * first, so a probe is answered however many there are. The JDK's com.sun.net.httpserver waits on a thread for each
 * client: few that send nothing keep the kubelet from its answer, and it ends a healthy daemon.
 */
public final class HttpEndpoint implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(HttpEndpoint.class);

  private static final int MAX_CONNECTIONS = 64;
  private static final int MAX_REQUEST_BYTES = 8 << 10;
  private static final Duration PATIENCE = Duration.ofSeconds(10);
  private static final long ACCEPT_AGAIN_NANOS = TimeUnit.SECONDS.toNanos(1);
  private static final long CLOSE_SECONDS = 2;
  // Java copies what it writes, and keeps room for the largest piece.
  private static final int WRITE_BYTES = 16 << 10;

  // RFC 9112: method SP request-target SP HTTP-version CRLF, and an empty line after the headers.
  private static final Pattern REQUEST_LINE = Pattern.compile("([A-Z]+) (/[^ ?]*)(?:\\?[^ ]*)? HTTP/1\\.[0-9]");
  private static final String END_OF_LINE = "\r\n";
  private static final String END_OF_HEAD = "\r\n\r\n";

  private static final class Connection {
    private final SocketChannel channel;
    private final SelectionKey key;
    private final long sinceNanos;
    private final ByteBuffer request = ByteBuffer.allocate(MAX_REQUEST_BYTES);
    private ByteBuffer answer;

    Connection(SocketChannel channel, Selector selector, long sinceNanos) throws IOException {
      this.channel = channel;
      this.sinceNanos = sinceNanos;
      channel.configureBlocking(false);
      key = channel.register(selector, SelectionKey.OP_READ, this);
    }
  }

  private final ServerSocketChannel server;
  private final long patienceNanos;
  private final Selector selector;
  private final SelectionKey accepting;
  private final Thread thread = Thread.ofPlatform().name("exit137-http").daemon().unstarted(this::run);
  /** The oldest first. Of the thread. */
  private final Set<Connection> connections = new LinkedHashSet<>();
  private Pages pages;
  private long acceptAgainNanos;
  private volatile boolean closed;

  private HttpEndpoint(ServerSocketChannel server, Duration patience) throws IOException {
    this.server = server;
    patienceNanos = patience.toNanos();
    selector = Selector.open();
    server.configureBlocking(false);
    accepting = server.register(selector, SelectionKey.OP_ACCEPT);
  }

  /**
   * Listens. Whoever connects waits until pages are served.
   *
   * @throws IOException it cannot; the message says why
   */
  public static HttpEndpoint bind(InetSocketAddress address) throws IOException {
    return bind(address, PATIENCE);
  }

  /** @param patience how long a client may take, from its connection to its end */
  static HttpEndpoint bind(InetSocketAddress address, Duration patience) throws IOException {
    ServerSocketChannel server = ServerSocketChannel.open();
    try {
      server.setOption(StandardSocketOptions.SO_REUSEADDR, true);
      server.bind(address);
      return new HttpEndpoint(server, patience);
    } catch (IOException e) {
      server.close();
      throw e;
    }
  }

  /** Where it listens, with the port that it got where any free one was asked for. */
  public InetSocketAddress address() {
    return (InetSocketAddress) server.socket().getLocalSocketAddress();
  }

  /** Begins to answer; once. */
  public void serve(Pages served) {
    pages = served;
    thread.start();
  }

  private void run() {
    while (!closed) {
      try {
        turn();
      } catch (IOException | RuntimeException e) {
        LOG.error("the HTTP server goes on after a failure", e);
      }
    }
  }

  private void turn() throws IOException {
    selector.select(sleepMillis(System.nanoTime()));
    long now = System.nanoTime();
    dropExpired(now);
    if (!accepting.isValid()) {
      return;
    }
    if (accepting.interestOps() == 0 && now - acceptAgainNanos >= 0) {
      accepting.interestOps(SelectionKey.OP_ACCEPT);
    }
    for (SelectionKey key : selector.selectedKeys()) {
      if (key == accepting) {
        accept(now);
      } else if (key.isValid()) {
        move((Connection) key.attachment());
      }
    }
    selector.selectedKeys().clear();
  }

  /** Until there is something to do though nobody comes; 0 for ever. */
  private long sleepMillis(long now) {
    long until =
        connections.isEmpty() ? Long.MAX_VALUE : connections.iterator().next().sinceNanos + patienceNanos - now;
    if (accepting.isValid() && accepting.interestOps() == 0) {
      until = Math.min(until, acceptAgainNanos - now);
    }
    return until == Long.MAX_VALUE ? 0 : Math.max(1, TimeUnit.NANOSECONDS.toMillis(until) + 1);
  }

  private void dropExpired(long now) {
    List.copyOf(connections).stream()
        .takeWhile(connection -> now - connection.sinceNanos > patienceNanos)
        .forEach(this::drop);
  }

  private void accept(long now) {
    try {
      SocketChannel client = server.accept();
      if (client == null) {
        return;
      }
      if (connections.size() == MAX_CONNECTIONS) {
        drop(connections.iterator().next());
      }
      connections.add(new Connection(client, selector, now));
    } catch (IOException e) {
      // Out of file descriptors: whoever waits still does, and asking at once again would burn the processor.
      accepting.interestOps(0);
      acceptAgainNanos = now + ACCEPT_AGAIN_NANOS;
    }
  }

  private void move(Connection connection) {
    try {
      if (connection.answer == null) {
        read(connection);
      } else if (connection.answer.hasRemaining()) {
        write(connection);
      } else {
        // Nothing is left to be said, and closing before the client does could take the answer's end from it.
        connection.request.clear();
        if (connection.channel.read(connection.request) < 0) {
          drop(connection);
        }
      }
    } catch (IOException e) {
      drop(connection);
    }
  }

  private void read(Connection connection) throws IOException {
    if (connection.channel.read(connection.request) < 0) {
      drop(connection);
      return;
    }
    ByteBuffer request = connection.request;
    String head = new String(request.array(), 0, request.position(), StandardCharsets.ISO_8859_1);
    if (head.contains(END_OF_HEAD)) {
      connection.answer = answer(head.substring(0, head.indexOf(END_OF_LINE)));
    } else if (!request.hasRemaining()) {
      connection.answer = bytes(Answer.text(431, "the request is too long\n"), true, "");
    } else {
      return;
    }
    write(connection);
  }

  private ByteBuffer answer(String requestLine) {
    Matcher request = REQUEST_LINE.matcher(requestLine);
    if (!request.matches()) {
      return bytes(Answer.text(400, "this is no HTTP request\n"), true, "");
    }
    boolean head = request.group(1).equals("HEAD");
    if (!head && !request.group(1).equals("GET")) {
      return bytes(Answer.text(405, "only GET and HEAD\n"), true, "Allow: GET, HEAD" + END_OF_LINE);
    }
    try {
      return bytes(pages.at(request.group(2)), !head, "");
    } catch (RuntimeException e) {
      LOG.error("{} cannot be answered", request.group(2), e);
      return bytes(Answer.text(500, "a defect of exit137, see its log\n"), !head, "");
    }
  }

  private static ByteBuffer bytes(Answer answer, boolean withBody, String header) {
    String reason = switch (answer.status()) {
      case 200 -> "OK";
      case 404 -> "Not Found";
      case 405 -> "Method Not Allowed";
      case 431 -> "Request Header Fields Too Large";
      case 500 -> "Internal Server Error";
      case 503 -> "Service Unavailable";
      default -> "Bad Request";
    };
    byte[] head =
        ("HTTP/1.1 " + answer.status() + " " + reason + END_OF_LINE
                + "Content-Type: " + answer.contentType() + END_OF_LINE
                + "Content-Length: " + answer.body().length + END_OF_LINE
                + header
                + "Connection: close" + END_OF_HEAD)
            .getBytes(StandardCharsets.ISO_8859_1);
    ByteBuffer bytes = ByteBuffer.allocate(head.length + (withBody ? answer.body().length : 0)).put(head);
    return (withBody ? bytes.put(answer.body()) : bytes).flip();
  }

  private void write(Connection connection) throws IOException {
    ByteBuffer answer = connection.answer;
    int end = answer.limit();
    while (answer.position() < end) {
      answer.limit(Math.min(end, answer.position() + WRITE_BYTES));
      int written = connection.channel.write(answer);
      answer.limit(end);
      if (written == 0) {
        connection.key.interestOps(SelectionKey.OP_WRITE);
        return;
      }
    }
    connection.channel.shutdownOutput();
    connection.key.interestOps(SelectionKey.OP_READ);
  }

  private void drop(Connection connection) {
    connections.remove(connection);
    try {
      connection.channel.close();
    } catch (IOException e) {
      LOG.debug("a connection could not be closed", e);
    }
  }

  /** Drops every connection and ends the thread. */
  @Override
  public void close() {
    closed = true;
    selector.wakeup();
    try {
      thread.join(TimeUnit.SECONDS.toMillis(CLOSE_SECONDS));
      List.copyOf(connections).forEach(this::drop);
      selector.close();
      server.close();
    } catch (IOException e) {
      LOG.warn("the HTTP server did not end in order", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
