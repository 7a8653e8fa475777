package dev.exit137.agent.systemd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import dev.exit137.agent.Await;
import dev.exit137.agent.exit.ExitJoiner;
import dev.exit137.agent.exit.SignalBook;
import dev.exit137.agent.trace.RecordedTrace;
import dev.exit137.daemon.guard.Guard;
import dev.exit137.exitreport.facts.End;
import dev.exit137.exitreport.facts.JournalLine;
import dev.exit137.exitreport.facts.SentSignal;
import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.oomreport.event.EventFactory;
import dev.exit137.oomreport.incident.IncidentAssembler;
import dev.exit137.oomreport.incident.OomIncident;
import dev.exit137.oomreport.parse.KmsgRecordFlyweight;
import dev.exit137.oomreport.parse.OomLine;
import dev.exit137.proto.v1.Container;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitEvent.Cause;
import dev.exit137.proto.v1.ExitEvent.Certainty;
import dev.exit137.proto.v1.ExitSettings;
import dev.exit137.proto.v1.Node;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.ProcessRef;
import dev.exit137.proto.v1.Victim;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whole Debian nodes on which services and processes were ended in every way, recorded in a virtual machine by {@code make
 * test-vm}: what the kernel traced and logged, and what systemd said, goes through everything that an agent has. Each end
 * is one event with the cause that the scenario had.
 *
 * <p>{@code -Dexit137.vm.recording=DIRECTORY} replays a fresh recording in place of those that are kept.
 */
class RecordedNodesTest {
    private static final List<String> KERNELS = List.of("5.10", "6.1", "6.12");
    private static final String NONE = "-";
    private static final List<String> SERVICE = List.of(
            "Result",
            "ExecMainPID",
            "ExecMainCode",
            "ExecMainStatus",
            "ExecMainStartTimestamp",
            "ExecMainExitTimestamp");

    @TempDir
    Path scratch;

    /** What the scenario did: the line of truth.tsv. */
    private record Truth(String subject, Cause cause, String sender, String function) {
        static Truth of(String line) {
            String[] columns = line.split("\t", -1);
            return new Truth(columns[0], Cause.valueOf(columns[1]), columns[2], columns[3]);
        }

        boolean isUnit() {
            return subject.endsWith(".service");
        }

        int pid() {
            return Integer.parseInt(subject);
        }
    }

    private record Step(Instant time, Runnable action) {}

    @TestFactory
    Stream<DynamicNode> everyEndHasTheCauseThatItsScenarioHad() throws Exception {
        String fresh = System.getProperty("exit137.vm.recording");
        if (fresh != null) {
            return Stream.of(ends(Path.of(fresh), "fresh"));
        }
        List<DynamicNode> all = new ArrayList<>();
        for (String kernel : KERNELS) {
            try (FileSystem archive = FileSystems.newFileSystem(resource("linux-" + kernel + ".zip"))) {
                all.add(ends(archive.getPath("/"), kernel));
            }
        }
        return all.stream();
    }

    private static Path resource(String name) throws URISyntaxException {
        URL url = Objects.requireNonNull(RecordedNodesTest.class.getResource("/vm/" + name), name);
        return Path.of(url.toURI());
    }

    private DynamicNode ends(Path recording, String name) throws Exception {
        List<Truth> truths = Files.readAllLines(recording.resolve("truth.tsv")).stream()
                .map(Truth::of)
                .toList();
        assertThat(truths).hasSizeGreaterThan(20);
        List<ExitEvent> events = replay(recording, Files.createDirectory(scratch.resolve(name)), truths);
        String kernel = Files.readString(recording.resolve("kernel")).strip();
        return dynamicContainer(
                "Linux " + kernel,
                truths.stream().map(truth -> dynamicTest(truth.toString(), () -> check(truth, events))));
    }

    private static void check(Truth truth, List<ExitEvent> events) {
        List<ExitEvent> revisions =
                events.stream().filter(event -> isAbout(event, truth)).toList();
        assertThat(revisions.stream().map(ExitEvent::getEventId).distinct())
                .as("one event: %s", revisions)
                .hasSize(1);
        ExitEvent event = revisions.getLast();
        assertThat(event.getCause()).as(event.toString()).isEqualTo(truth.cause());
        assertThat(event.getSender().getExe())
                .as(event.toString())
                .isEqualTo(truth.sender().equals(NONE) ? "" : truth.sender());
        if (!truth.function().equals(NONE)) {
            assertThat(event.getKernelPathList())
                    .as(event.toString())
                    .anyMatch(function -> function.endsWith(truth.function()));
        }
        boolean inferred = event.getCertainty() == Certainty.INFERRED;
        assertThat(inferred).as(event.toString()).isEqualTo(truth.cause() == Cause.SYSTEMD_DEPENDENCY);
    }

    private static boolean isAbout(ExitEvent event, Truth truth) {
        return truth.isUnit()
                ? event.getUnit().equals(truth.subject())
                : event.getSubject() == ExitEvent.Subject.PROCESS
                        && event.getProcess().getPid() == truth.pid();
    }

    private static List<ExitEvent> replay(Path recording, Path scratch, List<Truth> truths) throws Exception {
        List<String> journal = Files.readAllLines(recording.resolve("journal.jsonl"));
        Instant boot = boot(journal.getFirst());
        List<SentSignal> sent = RecordedTrace.read(recording, scratch, boot);
        SignalBook signals = new SignalBook();
        signals.wholeSince(boot);
        sent.forEach(signals::add);
        Guard guard = new Guard();
        List<ExitEvent> events = new CopyOnWriteArrayList<>();
        try (ScheduledExecutorService worker = Executors.newSingleThreadScheduledExecutor()) {
            ExitJoiner joiner = new ExitJoiner(
                    Node.newBuilder().setName("vm").setBootId("boot").build(),
                    signals,
                    new NoContainers(),
                    events::add,
                    worker,
                    InstantSource.fixed(boot),
                    guard);
            worker.submit(() -> {
                        ooms(recording, boot).forEach(joiner::onOom);
                        unitSteps(recording, journal, joiner, guard).stream()
                                .sorted(Comparator.comparing(Step::time))
                                .forEach(step -> step.action().run());
                        truths.stream()
                                .filter(truth -> !truth.isUnit())
                                .forEach(truth -> joiner.onEnd(endOfProcess(truth.pid(), sent)));
                        return null;
                    })
                    .get();
            // An end without a cause waits a moment for one.
            Await.until(
                    "an event of each end",
                    () -> truths.stream()
                            .filter(truth -> events.stream().noneMatch(event -> isAbout(event, truth)))
                            .toList(),
                    List::isEmpty);
        }
        assertThat(guard.counts()).isEmpty();
        return events;
    }

    /** The wall clock when the monotonic one was 0. */
    private static Instant boot(String journalLine) {
        Map<String, String> fields = Objects.requireNonNull(JournalReader.fields(journalLine));
        return micros(Long.parseLong(fields.get("__REALTIME_TIMESTAMP")))
                .minus(Long.parseLong(fields.get("__MONOTONIC_TIMESTAMP")), ChronoUnit.MICROS);
    }

    private static Instant micros(long sinceEpoch) {
        return Instant.EPOCH.plus(sinceEpoch, ChronoUnit.MICROS);
    }

    /** The journal's lines and D-Bus' properties, each at its time. */
    private static List<Step> unitSteps(Path recording, List<String> journal, ExitJoiner joiner, Guard guard)
            throws IOException {
        Map<String, UnitDetails> details = new HashMap<>();
        UnitEnds units = new UnitEnds(
                joiner::onEnd,
                unit -> CompletableFuture.completedFuture(details.getOrDefault(unit, UnitDetails.UNKNOWN)),
                Instant.EPOCH,
                InstantSource.fixed(Instant.EPOCH),
                guard);
        // Of the properties, the id of a unit's only life was not recorded; the journal has it.
        Map<String, byte[]> lives = new HashMap<>();
        for (String line : journal) {
            Map<String, String> fields = Objects.requireNonNull(JournalReader.fields(line));
            if (fields.containsKey("UNIT") && fields.containsKey("INVOCATION_ID")) {
                lives.put(fields.get("UNIT"), HexFormat.of().parseHex(fields.get("INVOCATION_ID")));
            }
        }
        List<Step> steps = new ArrayList<>();
        for (String line : Files.readAllLines(recording.resolve("units.tsv"))) {
            String[] columns = line.split("\t", -1);
            List<JsonElement> values = Arrays.stream(columns)
                    .skip(1)
                    .filter(json -> !json.isEmpty())
                    .map(json -> JsonParser.parseString(json).getAsJsonObject().get("data"))
                    .toList();
            Map<String, Object> service = new HashMap<>();
            for (int i = 0; i < SERVICE.size(); i++) {
                JsonElement value = values.get(i);
                boolean isNumber = value.getAsJsonPrimitive().isNumber();
                service.put(SERVICE.get(i), isNumber ? (Object) value.getAsLong() : value.getAsString());
            }
            service.put("InvocationID", lives.get(columns[0]));
            details.put(
                    columns[0],
                    new UnitDetails(
                            ExitSettings.getDefaultInstance(),
                            names(values.get(SERVICE.size())),
                            names(values.get(SERVICE.size() + 1)),
                            names(values.get(SERVICE.size() + 2))));
            steps.add(new Step(
                    micros((Long) service.get("ExecMainExitTimestamp")),
                    () -> units.onProperties(columns[0], service)));
        }
        List<JournalLine> lines = new ArrayList<>();
        JournalReader reader = new JournalReader(Instant.EPOCH, lines::add);
        journal.forEach(reader::accept);
        assertThat(reader.notUnderstood()).isZero();
        lines.forEach(line -> steps.add(new Step(line.time(), () -> units.onLine(line))));
        return steps;
    }

    private static List<String> names(JsonElement array) {
        return array.getAsJsonArray().asList().stream()
                .map(JsonElement::getAsString)
                .toList();
    }

    private static End endOfProcess(int pid, List<SentSignal> sent) {
        SentSignal kill = sent.stream()
                .filter(signal -> signal.victimPid() == pid && signal.number() == 9)
                .findFirst()
                .orElseThrow(() -> new AssertionError("no SIGKILL of " + pid + " in the trace"));
        return new End(
                ExitEvent.newBuilder()
                        .setSubject(ExitEvent.Subject.PROCESS)
                        .setUnit(CgroupPath.parse(kill.victimCgroup()).unit())
                        .setProcess(ProcessRef.newBuilder().setPid(pid).setComm(kill.victimComm()))
                        .setExitCode(137)
                        .setSignal(9)
                        .setTime(EventFactory.timestamp(kill.time()))
                        .build(),
                List.of(),
                null);
    }

    /** The OOM kills in the kernel's log. */
    private static List<OomKillEvent> ooms(Path recording, Instant boot) throws IOException {
        List<OomKillEvent> ooms = new ArrayList<>();
        IncidentAssembler assembler = new IncidentAssembler(new Kills(ooms, boot));
        KmsgRecordFlyweight view = new KmsgRecordFlyweight();
        byte[] log = Files.readAllBytes(recording.resolve("kmsg"));
        int start = 0;
        for (int end = 0; end < log.length; end++) {
            // A line that begins with a space is the dictionary of the record before.
            if (log[end] == '\n' && (end + 1 == log.length || log[end + 1] != ' ')) {
                view.wrap(log, start, end + 1 - start);
                assertThat(view.isValid())
                        .as(new String(log, start, end + 1 - start, StandardCharsets.UTF_8))
                        .isTrue();
                if (view.facility() == 0) {
                    assembler.onRecord(view);
                }
                start = end + 1;
            }
        }
        return ooms;
    }

    private record Kills(List<OomKillEvent> ooms, Instant boot) implements IncidentAssembler.Sink {
        @Override
        public void onKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
            ooms.add(OomKillEvent.newBuilder()
                    .setEventId("boot/kmsg/" + sequence)
                    .setTime(EventFactory.timestamp(boot.plus(timestampMicros, ChronoUnit.MICROS)))
                    .setUnit(CgroupPath.parse(incident.taskMemcg().toString()).unit())
                    .setVictim(Victim.newBuilder()
                            .setPid((int) killed.pid())
                            .setComm(killed.comm().toString()))
                    .build());
        }

        @Override
        public boolean isGroupMember(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {
            return true;
        }

        @Override
        public void onBegun(OomIncident incident) {}

        @Override
        public void onRepeatedKill(OomIncident incident, OomLine killed, long sequence, long timestampMicros) {}

        @Override
        public void onClosed(OomIncident incident) {}
    }

    private static final class NoContainers implements ExitJoiner.Containers {
        @Override
        public Optional<Container> find(String id) {
            return Optional.empty();
        }

        @Override
        public Optional<Integer> mainPid(String id, Instant endedAt) {
            return Optional.empty();
        }

        @Override
        public Optional<Integer> shimPid(String id) {
            return Optional.empty();
        }
    }
}
