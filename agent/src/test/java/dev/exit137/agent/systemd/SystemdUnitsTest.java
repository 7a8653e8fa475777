package dev.exit137.agent.systemd;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.exit137.agent.Await;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.End;
import dev.exit137.proto.v1.SourceStatus;
import dev.exit137.proto.v1.SourceStatus.State;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.freedesktop.dbus.DBusPath;
import org.freedesktop.dbus.connections.impl.DBusConnection;
import org.freedesktop.dbus.connections.impl.DBusConnectionBuilder;
import org.freedesktop.dbus.interfaces.Properties;
import org.freedesktop.dbus.types.UInt32;
import org.freedesktop.dbus.types.UInt64;
import org.freedesktop.dbus.types.Variant;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Over a real bus, with a program that has systemd's name there. */
@Tag("process")
class SystemdUnitsTest {
    private static final String UNIT_PATH = "/org/freedesktop/systemd1/unit/slow_2eservice";
    private static final String SERVICE = "org.freedesktop.systemd1.Service";
    private static final String UNIT = "org.freedesktop.systemd1.Unit";
    private static final Instant EXIT = Instant.parse("2026-11-30T02:10:47.143817Z");

    @TempDir
    private Path directory;

    private final List<End> ends = new CopyOnWriteArrayList<>();
    private final AtomicInteger subscribers = new AtomicInteger();
    private final ExecutorService thread = Executors.newSingleThreadExecutor();
    private Process daemon;
    private DBusConnection systemd;
    private SystemdUnits units;

    @BeforeEach
    void start() throws Exception {
        assumeThat(Path.of("/usr/bin/dbus-daemon")).isExecutable();
        Path config = Files.writeString(
                directory.resolve("bus.conf"),
                "<busconfig><type>session</type><listen>unix:path=" + socket() + "</listen><policy context=\"default\">"
                        + "<allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>");
        daemon = new ProcessBuilder("dbus-daemon", "--nofork", "--nopidfile", "--config-file=" + config)
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("log").toFile())
                .start();
        Await.until("the bus", () -> Files.exists(socket()), there -> there);
        systemd = connect();
        systemd.requestBusName("org.freedesktop.systemd1");
        systemd.exportObject("/org/freedesktop/systemd1", new FakeManager());
        systemd.exportObject("/org/freedesktop/systemd1/job/96", new FakeProperties());
        systemd.exportObject(UNIT_PATH, new FakeProperties());
        units = new SystemdUnits(
                socket().toString(), ends::add, Instant.EPOCH, thread, InstantSource.fixed(EXIT), new Guard());
        units.start();
        Await.until("a subscriber", subscribers::get, count -> count == 1);
        assertThat(status().getState()).isEqualTo(State.ACTIVE);
    }

    private Path socket() {
        return directory.resolve("bus");
    }

    private DBusConnection connect() throws Exception {
        return DBusConnectionBuilder.forAddress("unix:path=" + socket())
                .withShared(false)
                .build();
    }

    private SourceStatus status() {
        return Await.until("a status", units::status, found -> found.isPresent())
                .orElseThrow();
    }

    @AfterEach
    void end() throws Exception {
        if (units != null) {
            units.close();
        }
        thread.shutdown();
        if (systemd != null) {
            systemd.disconnect();
        }
        if (daemon != null) {
            daemon.destroy();
            daemon.waitFor(10, TimeUnit.SECONDS);
        }
    }

    private static void changed(DBusConnection from, String type, Map<String, Variant<?>> properties) throws Exception {
        from.sendMessage(new Properties.PropertiesChanged(UNIT_PATH, type, properties, List.of()));
    }

    private static void exits(DBusConnection from, int signal) throws Exception {
        exited(from, signal);
        changed(
                from,
                UNIT,
                Map.of(
                        "SubState", new Variant<>("failed"),
                        "InvocationID", new Variant<>(new byte[] {0x5a, 1}, "ay")));
    }

    private static void exited(DBusConnection from, int signal) throws Exception {
        changed(
                from,
                SERVICE,
                Map.of(
                        "Result", new Variant<>("timeout"),
                        "ExecMainPID", new Variant<>(new UInt32(221)),
                        "ExecMainExitTimestamp",
                                new Variant<>(new UInt64(EXIT.getEpochSecond() * 1_000_000 + EXIT.getNano() / 1000)),
                        "ExecMainCode", new Variant<>(2),
                        "ExecMainStatus", new Variant<>(signal)));
    }

    private void enters(String subState) throws Exception {
        changed(
                systemd,
                UNIT,
                Map.of(
                        "SubState", new Variant<>(subState),
                        "InvocationID", new Variant<>(new byte[] {0x5a, 1}, "ay")));
    }

    @Test
    void theEndOfAServiceComesWithItsJobPhaseAndSettings() throws Exception {
        enters("running");
        systemd.sendMessage(new SystemdBus.Manager.JobNew(
                "/org/freedesktop/systemd1",
                new UInt32(96),
                new DBusPath("/org/freedesktop/systemd1/job/96"),
                "slow.service"));
        enters("stop-sigterm");
        changed(systemd, SERVICE, Map.of("Result", new Variant<>("timeout")));
        enters("stop-sigkill");
        exits(systemd, 9);

        End end = Await.until(
                        "the end",
                        () -> ends,
                        all -> !all.isEmpty()
                                && all.getLast().reported().getSettings().hasStopGrace())
                .getLast();
        assertThat(end.reported().getUnit()).isEqualTo("slow.service");
        assertThat(end.reported().getExitCode()).isEqualTo(137);
        assertThat(end.reported().getProcess().getPid()).isEqualTo(221);
        assertThat(end.unit().invocationId()).isEqualTo("5a01");
        assertThat(end.unit().phase()).isEqualTo("stop");
        assertThat(end.unit().jobType()).isEqualTo("stop");
        assertThat(end.reported().getSettings().getStopGrace().getSeconds()).isEqualTo(1);
    }

    @Test
    void whatSomebodyElseSaysInSystemdsNameIsCountedAndIgnored() throws Exception {
        DBusConnection liar = connect();
        exits(liar, 11);
        Await.until("the count", () -> status().getDetail(), detail -> detail.contains("2 messages"));
        exits(systemd, 9);
        Await.until("the end", () -> ends, all -> !all.isEmpty());
        assertThat(ends)
                .allSatisfy(end -> assertThat(end.reported().getSignal()).isEqualTo(9));
        liar.disconnect();
    }

    @Test
    void propertiesOfOtherTypesThanSystemdsAreSurvived() throws Exception {
        changed(
                systemd,
                SERVICE,
                Map.of(
                        "Result", new Variant<>(7),
                        "ExecMainExitTimestamp", new Variant<>("yesterday"),
                        "ExecMainStatus", new Variant<>("nine")));
        changed(
                systemd,
                UNIT,
                Map.of("SubState", new Variant<>(new UInt32(1)), "InvocationID", new Variant<>("a life")));
        exits(systemd, 9);
        Await.until("the end", () -> ends, all -> !all.isEmpty());
        assertThat(ends)
                .allSatisfy(end -> assertThat(end.reported().getSignal()).isEqualTo(9));
        assertThat(status().getState()).isEqualTo(State.ACTIVE);
    }

    @Test
    void aPeerThatSpeaksNoDBusIsUnavailableWithItsReason() throws Exception {
        Path nonsense = directory.resolve("nonsense");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(nonsense));
            Thread.ofVirtual().start(() -> {
                while (server.isOpen()) {
                    try (SocketChannel client = server.accept()) {
                        client.write(ByteBuffer.wrap("HTTP/1.1 400 Bad Request\r\n\r\n".getBytes(UTF_8)));
                    } catch (IOException e) {
                        // The client has gone.
                    }
                }
            });
            try (SystemdUnits others = new SystemdUnits(
                    nonsense.toString(), ends::add, Instant.EPOCH, thread, InstantSource.fixed(EXIT), new Guard())) {
                others.start();
                SourceStatus status = Await.until("a status", others::status, Optional::isPresent)
                        .orElseThrow();
                assertThat(status.getState()).isEqualTo(State.UNAVAILABLE);
                assertThat(status.getDetail()).contains(nonsense.toString());
            }
        }
    }

    private final class FakeManager implements SystemdBus.Manager {
        @Override
        public void subscribe() {
            subscribers.incrementAndGet();
        }

        @Override
        public DBusPath loadUnit(String name) {
            return new DBusPath(UNIT_PATH);
        }

        @Override
        public List<SystemdBus.ListedUnit> listUnits() {
            return List.of();
        }

        @Override
        public boolean isRemote() {
            return false;
        }

        @Override
        public String getObjectPath() {
            return "/org/freedesktop/systemd1";
        }
    }

    /** Of the unit and of the job. */
    private static final class FakeProperties implements Properties {
        @Override
        @SuppressWarnings("unchecked")
        public <A> A Get(String type, String name) {
            return (A) "stop";
        }

        @Override
        public <A> void Set(String type, String name, A value) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Map<String, Variant<?>> GetAll(String type) {
            return type.equals(SERVICE) ? Map.of("TimeoutStopUSec", new Variant<>(new UInt64(1_000_000))) : Map.of();
        }

        @Override
        public boolean isRemote() {
            return false;
        }

        @Override
        public String getObjectPath() {
            return UNIT_PATH;
        }
    }
}
