package dev.exit137.agent.systemd;

import dev.exit137.proto.v1.ExitSettings;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.freedesktop.dbus.DBusPath;
import org.freedesktop.dbus.Struct;
import org.freedesktop.dbus.annotations.DBusInterfaceName;
import org.freedesktop.dbus.annotations.DBusMemberName;
import org.freedesktop.dbus.annotations.Position;
import org.freedesktop.dbus.connections.impl.DBusConnection;
import org.freedesktop.dbus.connections.impl.DBusConnectionBuilder;
import org.freedesktop.dbus.exceptions.DBusException;
import org.freedesktop.dbus.exceptions.DBusExecutionException;
import org.freedesktop.dbus.interfaces.DBus;
import org.freedesktop.dbus.interfaces.DBusInterface;
import org.freedesktop.dbus.interfaces.Properties;
import org.freedesktop.dbus.messages.DBusSignal;
import org.freedesktop.dbus.types.UInt32;
import org.freedesktop.dbus.types.Variant;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * systemd over the system bus. Every program may send signals there: those count that the bus says are from the owner of
 * systemd's name. The first use loads dbus-java, which takes about a second. Its methods block; one thread calls them, and
 * the receiver is called on dbus-java's.
 */
final class SystemdBus implements AutoCloseable {
    private static final String NAME = "org.freedesktop.systemd1";
    private static final String UNITS = "/org/freedesktop/systemd1/unit/";
    private static final String UNIT = NAME + ".Unit";
    private static final String SERVICE = NAME + ".Service";
    /** States of a service whose main process has ended. */
    private static final Set<String> ENDED = Set.of("failed", "dead", "auto-restart");

    private static final Logger LOG = LoggerFactory.getLogger(SystemdBus.class);
    private static final int HEX = 16;
    private static final long MICROS_PER_SECOND = 1_000_000;
    private static final int NANOS_PER_MICRO = 1000;

    /** org.freedesktop.systemd1.Manager. */
    @DBusInterfaceName("org.freedesktop.systemd1.Manager")
    public interface Manager extends DBusInterface {
        /** Asks for signals; without a subscriber systemd sends none. */
        @DBusMemberName("Subscribe")
        void subscribe();

        /** Returns the object of a unit. A unit that ended well is not loaded any more, and systemd reads it again. */
        @DBusMemberName("LoadUnit")
        DBusPath loadUnit(String name);

        /** Returns all units that are loaded. */
        @DBusMemberName("ListUnits")
        List<ListedUnit> listUnits();

        /** A job was queued. */
        class JobNew extends DBusSignal {
            final UInt32 id;
            final DBusPath job;
            final String unit;

            /** dbus-java calls it. */
            public JobNew(String path, UInt32 id, DBusPath job, String unit) throws DBusException {
                super(path, id, job, unit);
                this.id = id;
                this.job = job;
                this.unit = unit;
            }
        }
    }

    /** A unit in the list of all. The fields are what systemd sends; dbus-java fills them by their position. */
    public static final class ListedUnit extends Struct {
        @Position(0)
        final String name;

        @Position(1)
        final String description;

        @Position(2)
        final String loadState;

        @Position(3)
        final String activeState;

        @Position(4)
        final String subState;

        @Position(5)
        final String following;

        @Position(6)
        final DBusPath object;

        @Position(7)
        final UInt32 job;

        @Position(8)
        final String jobType;

        @Position(9)
        final DBusPath jobObject;

        /** dbus-java calls it. */
        public ListedUnit(
                String name,
                String description,
                String loadState,
                String activeState,
                String subState,
                String following,
                DBusPath object,
                UInt32 job,
                String jobType,
                DBusPath jobObject) {
            this.name = name;
            this.description = description;
            this.loadState = loadState;
            this.activeState = activeState;
            this.subState = subState;
            this.following = following;
            this.object = object;
            this.job = job;
            this.jobType = jobType;
            this.jobObject = jobObject;
        }
    }

    /** Receives systemd's signals, on threads of dbus-java. */
    interface Receiver {
        /** A job was made; its type is not known yet. */
        void onJob(long id, String path, String unit);

        /** Properties of a service changed: those of the service, and those that every unit has. */
        void onProperties(String unit, Map<String, Object> changed);

        /** Somebody else sent a signal in systemd's name. */
        void onLie();
    }

    private final DBusConnection connection;
    private final String owner;
    /** Those of a service, until those of the same unit come, which systemd sends next. dbus-java's thread. */
    private Map<String, Object> half = Map.of();

    private String halfOf = "";

    /**
     * Connects and subscribes.
     *
     * @throws IOException if there is no bus, or no systemd on it; the message is fit for a user
     */
    static SystemdBus connect(String socket, Receiver receiver) throws IOException {
        DBusConnection connection = null;
        try {
            connection = DBusConnectionBuilder.forAddress("unix:path=" + socket)
                    .withShared(false)
                    .build();
            SystemdBus bus = new SystemdBus(connection);
            bus.subscribe(receiver);
            return bus;
        } catch (DBusException | DBusExecutionException | IllegalStateException e) {
            if (connection != null) {
                connection.disconnect();
            }
            throw new IOException(socket + ": " + e.getMessage(), e);
        }
    }

    private SystemdBus(DBusConnection connection) throws DBusException {
        this.connection = connection;
        DBus bus = connection.getRemoteObject("org.freedesktop.DBus", "/org/freedesktop/DBus", DBus.class);
        owner = bus.GetNameOwner(NAME);
    }

    private void subscribe(Receiver receiver) throws DBusException {
        connection.addSigHandler(Properties.PropertiesChanged.class, signal -> {
            boolean isOfUnit = signal.getPath().startsWith(UNITS)
                    && (signal.getInterfaceName().equals(SERVICE)
                            || signal.getInterfaceName().equals(UNIT));
            String unit = isOfUnit ? unit(signal.getPath()) : "";
            if (unit.endsWith(".service") && isOfSystemd(signal, receiver)) {
                onChange(unit, signal.getInterfaceName(), values(signal.getPropertiesChanged()), receiver);
            }
        });
        connection.addSigHandler(Manager.JobNew.class, signal -> {
            if (isOfSystemd(signal, receiver)) {
                receiver.onJob(signal.id.longValue(), signal.job.getPath(), signal.unit);
            }
        });
        manager().subscribe();
    }

    private void onChange(String unit, String type, Map<String, Object> changed, Receiver receiver) {
        if (type.equals(SERVICE)) {
            half = changed;
            halfOf = unit;
        } else {
            Map<String, Object> whole = new HashMap<>(halfOf.equals(unit) ? half : Map.of());
            whole.putAll(changed);
            halfOf = "";
            half = Map.of();
            receiver.onProperties(unit, whole);
        }
    }

    private boolean isOfSystemd(DBusSignal signal, Receiver receiver) {
        if (owner.equals(signal.getSource())) {
            return true;
        }
        receiver.onLie();
        return false;
    }

    boolean isConnected() {
        return connection.isConnected();
    }

    /** Returns the type of a job: {@code start}, {@code stop}, {@code restart}, …; empty if the job is done. */
    String jobType(String path) {
        Object type = property(path, NAME + ".Job", "JobType");
        return type instanceof String text ? text : "";
    }

    private @Nullable Object property(String path, String type, String name) {
        try {
            Object value =
                    connection.getRemoteObject(NAME, path, Properties.class).Get(type, name);
            return value instanceof Variant<?> variant ? variant.getValue() : value;
        } catch (DBusException | DBusExecutionException e) {
            return null;
        }
    }

    /** Tells the receiver of the services that are down: they may have ended while nobody listened. */
    void tellOfEnded(Receiver receiver) {
        try {
            for (ListedUnit unit : manager().listUnits()) {
                if (unit.name.endsWith(".service") && ENDED.contains(unit.subState)) {
                    Map<String, Object> whole = new HashMap<>(properties(unit.object.getPath(), SERVICE));
                    whole.putAll(properties(unit.object.getPath(), UNIT));
                    receiver.onProperties(unit.name, whole);
                }
            }
        } catch (DBusException | DBusExecutionException e) {
            LOG.warn("systemd does not say which services have ended already: {}", e.getMessage());
        }
    }

    private Manager manager() throws DBusException {
        return connection.getRemoteObject(NAME, "/org/freedesktop/systemd1", Manager.class);
    }

    private Map<String, Object> properties(String path, String type) throws DBusException {
        return values(connection.getRemoteObject(NAME, path, Properties.class).GetAll(type));
    }

    /** Returns what systemd knows of a unit; nothing if there is no such unit any more. */
    UnitDetails details(String unit) {
        try {
            String path = manager().loadUnit(unit).getPath();
            Map<String, Object> ofService = unit.endsWith(".service") ? properties(path, SERVICE) : Map.of();
            Map<String, Object> ofUnit = properties(path, UNIT);
            return new UnitDetails(
                    settings(ofService), names(ofUnit, "PartOf"), names(ofUnit, "BindsTo"), names(ofUnit, "Requires"));
        } catch (DBusException | DBusExecutionException e) {
            return UnitDetails.UNKNOWN;
        }
    }

    static ExitSettings settings(Map<String, Object> service) {
        ExitSettings.Builder settings = ExitSettings.newBuilder();
        if (service.get("MemoryMax") instanceof Number bytes) {
            // 2^64-1 is "infinity" to both.
            settings.setMemoryLimitBytes(bytes.longValue());
        }
        if (service.get("TimeoutStopUSec") instanceof Number micros && micros.longValue() >= 0) {
            settings.setStopGrace(com.google.protobuf.Duration.newBuilder()
                    .setSeconds(micros.longValue() / MICROS_PER_SECOND)
                    .setNanos((int) (micros.longValue() % MICROS_PER_SECOND) * NANOS_PER_MICRO));
        }
        if (service.get("Restart") instanceof String restart) {
            settings.setRestartPolicy(restart);
        }
        if (service.get("OOMPolicy") instanceof String policy) {
            settings.setOomPolicy(policy);
        }
        if (service.get("OOMScoreAdjust") instanceof Number adjust) {
            settings.setOomScoreAdj(adjust.intValue());
        }
        return settings.build();
    }

    private static List<String> names(Map<String, Object> properties, String name) {
        List<String> names = new ArrayList<>();
        Object value = properties.get(name);
        if (value instanceof List<?> list) {
            list.forEach(each -> names.add(String.valueOf(each)));
        } else if (value instanceof Object[] array) {
            for (Object each : array) {
                names.add(String.valueOf(each));
            }
        }
        return names;
    }

    private static Map<String, Object> values(Map<String, Variant<?>> variants) {
        Map<String, Object> values = new HashMap<>();
        variants.forEach((name, variant) -> values.put(name, variant.getValue()));
        return values;
    }

    /** Returns the unit of an object: {@code …/unit/slow_2eservice} is {@code slow.service}. */
    static String unit(String path) {
        String label = path.substring(path.lastIndexOf('/') + 1);
        StringBuilder name = new StringBuilder(label.length());
        for (int i = 0; i < label.length(); i++) {
            char c = label.charAt(i);
            int high = c == '_' && i + 2 < label.length() ? Character.digit(label.charAt(i + 1), HEX) : -1;
            int low = high < 0 ? -1 : Character.digit(label.charAt(i + 2), HEX);
            if (low < 0) {
                name.append(c);
            } else {
                name.append((char) (high * HEX + low));
                i += 2;
            }
        }
        return name.toString();
    }

    @Override
    public void close() {
        connection.disconnect();
    }
}
