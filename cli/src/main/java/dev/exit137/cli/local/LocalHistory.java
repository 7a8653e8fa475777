package dev.exit137.cli.local;

import dev.exit137.cli.terminal.Failure;
import dev.exit137.cli.why.Fact;
import dev.exit137.cli.why.Subject;
import dev.exit137.cli.why.WhyAnswer;
import dev.exit137.exitreport.cause.ExitRules;
import dev.exit137.exitreport.facts.TraceState;
import dev.exit137.oomreport.event.CgroupPath;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.OomKillEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Explains an end after the fact, from what this host still knows of it. No daemon watched, so there is no trace of
 * signals: a sender is never named.
 */
public final class LocalHistory {
    private static final TraceState NO_TRACE =
            TraceState.without("no agent of exit137 watched, and the kernel keeps no record of signals");

    /** How long to wait for Docker, and for each program. */
    public static final Duration PATIENCE = Duration.ofSeconds(15);

    /** Places that hold Docker's files unless its settings say otherwise. */
    private static final Path DOCKER_ROOT = Path.of("/var/lib/docker");

    private final Host host;
    private final Programs programs;
    private final DockerHistory docker;
    private final UnitHistory units;
    private final Path kmsg;
    private final Set<String> names = new LinkedHashSet<>();
    private final List<String> unread = new ArrayList<>();
    /** Read when it is first needed. */
    private KernelRing.@Nullable Log ring;

    /** @param kmsg the kernel's log device */
    public LocalHistory(Host host, DockerApi docker, Programs programs, Path kmsg) {
        this.host = host;
        this.programs = programs;
        this.docker = new DockerHistory(docker, host);
        this.units = new UnitHistory(programs, host);
        this.kmsg = kmsg;
    }

    /** Names of other subjects, after a subject was not found. */
    public Set<String> names() {
        return names;
    }

    /** What could not be read, each with its reason, after a subject was not found. */
    public List<String> unread() {
        return unread;
    }

    /**
     * The last ends of the subject on this host.
     *
     * @param last largest number of ends, and of OOM kills
     * @return empty if the host does not know the subject
     * @throws Failure the subject can mean several things
     */
    public Optional<WhyAnswer> find(Subject subject, int last) throws Failure {
        if (subject.isOfAnAggregator()) {
            unread.add("pods and events: only an aggregator knows them (--server)");
            return Optional.empty();
        }
        Optional<Subject> process = subject.isPid() ? ofProcess(subject.text()) : Optional.empty();
        Subject asked = process.orElse(subject);
        List<DockerHistory.Known> containers = containers(asked);
        UnitHistory.History unit = asked.isUnit() ? units.of(asked.unitName()) : null;
        boolean isUnit = unit != null && unit.known();
        if (containers.size() + (isUnit ? 1 : 0) > 1) {
            throw new Failure(ambiguous(asked, containers, isUnit));
        }
        try {
            if (containers.size() == 1) {
                return Optional.of(ofContainer(containers.getFirst(), last));
            }
        } catch (IOException e) {
            unread.add("Docker: " + e.getMessage());
        }
        if (unit != null && unit.known()) {
            return Optional.of(ofUnit(asked.unitName(), unit, last));
        }
        if (unit != null) {
            unread.addAll(unit.unread());
        }
        if (subject.isPid()) {
            Optional<WhyAnswer> known = ofPidInLog(subject, last).or(() -> ofLivingProcess(subject));
            if (known.isPresent()) {
                return known;
            }
        }
        names.addAll(units.units());
        names.addAll(names.stream()
                .filter(name -> name.endsWith(".service"))
                .map(name -> name.substring(0, name.length() - ".service".length()))
                .toList());
        return Optional.empty();
    }

    /** The containers that the text means: by their name, else by the beginning of their id. */
    private List<DockerHistory.Known> containers(Subject subject) {
        if (!subject.isDocker() || subject.isUnitForSure()) {
            return List.of();
        }
        List<DockerHistory.Known> known;
        try {
            known = docker.containers();
        } catch (IOException e) {
            unread.add(e.getMessage() + (Host.isRoot() ? "" : " (it may need root, or the group docker)"));
            return List.of();
        }
        known.forEach(container -> names.add(container.name()));
        List<DockerHistory.Known> named = known.stream()
                .filter(container -> container.name().equals(subject.text()))
                .toList();
        if (!named.isEmpty()) {
            // A container that was made again has the name of the one before; the list has existing ones first.
            return named.subList(0, 1);
        }
        boolean id = subject.text().matches("[0-9a-f]{4,64}");
        return known.stream()
                .filter(container -> id && container.id().startsWith(subject.text()))
                .toList();
    }

    private static String ambiguous(Subject subject, List<DockerHistory.Known> containers, boolean isUnit) {
        return "'" + subject + "' can mean several things; ask for one of them:\n"
                + Stream.concat(
                                containers.stream()
                                        .map(container -> "  docker:"
                                                + (container.name().isEmpty() ? container.id() : container.name())),
                                isUnit ? Stream.of("  unit:" + subject.unitName()) : Stream.empty())
                        .collect(Collectors.joining("\n"));
    }

    /** The container or unit of a process that runs, or that wrote to the journal. */
    private Optional<Subject> ofProcess(String pid) {
        String cgroups = host.read(pid + "/cgroup");
        for (String line : cgroups.lines().toList()) {
            CgroupPath path = CgroupPath.parse(line.substring(line.lastIndexOf(':') + 1));
            if (path.ref() != null) {
                return Optional.of(new Subject(Subject.Form.DOCKER, path.ref().id()));
            }
            if (path.unit().endsWith(".service")) {
                return Optional.of(new Subject(Subject.Form.UNIT, path.unit()));
            }
        }
        return cgroups.isEmpty()
                ? units.unitOf(pid).map(unit -> new Subject(Subject.Form.UNIT, unit))
                : Optional.empty();
    }

    private WhyAnswer ofContainer(DockerHistory.Known container, int last) throws IOException {
        DockerHistory.History history = docker.of(container);
        List<OomKillEvent> kills = kills(kill -> kill.getCgroupPath().contains(container.id())
                || kill.getIncident().getTaskMemcg().contains(container.id()));
        List<Fact> facts = new ArrayList<>();
        addContainerFacts(facts, history.inspected(), history.settings());
        String name = container.name().isEmpty() ? container.id() : container.name();
        return answer(
                "docker:" + name,
                history.ends(),
                kills,
                facts,
                history.restarted().orElse(null),
                last,
                true);
    }

    private static void addContainerFacts(
            List<Fact> facts, DockerJson.@Nullable Inspected inspected, DockerHistory.Settings settings) {
        if (inspected == null) {
            facts.add(Fact.certain("the container was removed: its settings are gone"));
            return;
        }
        DockerJson.State state = inspected.state();
        if (state != null && state.running()) {
            facts.add(Fact.certain("it runs now, since " + state.startedAt()));
        }
        if (state != null && state.oomKilled()) {
            facts.add(
                    Fact.certain("Docker says OOMKilled: a process in it was killed for memory in that life; that need "
                            + "not be the main process"));
        }
        if (state != null && state.error() != null && !state.error().isEmpty()) {
            facts.add(Fact.certain("Docker's error: " + state.error()));
        }
        if (inspected.restartCount() > 0) {
            facts.add(Fact.certain(
                    "Docker has started it again " + inspected.restartCount() + " times by its restart policy"));
        }
        switch (settings) {
            case SAME -> {
                // Nothing to say.
            }
            case CHANGED ->
                facts.add(Fact.certain(
                        "its settings were changed after the end (docker update): those shown are of now"));
            case PERHAPS_CHANGED ->
                facts.add(Fact.possible(
                        "the settings were others when it ended: those shown are of now (docker update)"));
        }
    }

    private WhyAnswer ofUnit(String unit, UnitHistory.History history, int last) {
        unread.addAll(history.unread());
        List<OomKillEvent> kills =
                kills(kill -> CgroupPath.parse(kill.getCgroupPath()).unit().equals(unit));
        List<Fact> facts = new ArrayList<>();
        Map<String, String> properties = history.properties();
        String active = properties.getOrDefault("ActiveState", "");
        if (!active.isEmpty()) {
            facts.add(Fact.certain(
                    "systemd says it is " + active + " (" + properties.getOrDefault("SubState", "") + ") now"));
        }
        if (properties.getOrDefault("NRestarts", "0").matches("[1-9]\\d*")) {
            facts.add(Fact.certain("systemd has started it again " + properties.get("NRestarts") + " times (Restart="
                    + properties.getOrDefault("Restart", "") + ")"));
        }
        if (history.oom()) {
            facts.add(Fact.certain("systemd saw an OOM kill in it before the end; that can be one by the kernel or by "
                    + "systemd-oomd"));
        }
        if (history.runtimeLimit()) {
            facts.add(Fact.certain("it had run as long as RuntimeMaxSec allows, and systemd ended it for that"));
        }
        return answer("unit:" + unit, history.ends(), kills, facts, null, last, false);
    }

    private Optional<WhyAnswer> ofPidInLog(Subject subject, int last) {
        List<OomKillEvent> kills = kills(kill -> kill.getVictim().hasPid()
                && Integer.toUnsignedString(kill.getVictim().getPid()).equals(subject.text()));
        if (kills.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(
                new WhyAnswer("pid:" + subject.text(), List.of(), newest(kills, last), List.of(), unread, null));
    }

    /** A process that runs, in no container and no service. */
    private Optional<WhyAnswer> ofLivingProcess(Subject subject) {
        String comm = host.read(subject.text() + "/comm");
        if (comm.isEmpty()) {
            return Optional.empty();
        }
        String where = ofProcess(subject.text()).isEmpty() ? "; it is in no container and no service" : "";
        return Optional.of(new WhyAnswer(
                "pid:" + subject.text(),
                List.of(),
                List.of(),
                List.of(Fact.certain("process " + subject.text() + " (" + comm + ") runs now" + where)),
                unread,
                null));
    }

    /** The OOM kills in the kernel's ring that are meant. */
    private List<OomKillEvent> kills(Predicate<OomKillEvent> meant) {
        return ring().kills().stream().filter(meant).toList();
    }

    private KernelRing.Log ring() {
        KernelRing.Log log = ring;
        if (log == null) {
            try {
                log = KernelRing.log(kmsg, host);
            } catch (IOException e) {
                unread.add("the kernel's log, and with it OOM kills: " + e.getMessage()
                        + (Host.isRoot() ? "" : " (it may need root)"));
                log = new KernelRing.Log(List.of(), null);
            }
            ring = log;
        }
        return log;
    }

    private WhyAnswer answer(
            String name,
            List<LocalEnd> ends,
            List<OomKillEvent> kills,
            List<Fact> facts,
            @Nullable Instant restarted,
            int last,
            boolean isDocker) {
        List<ExitEvent> exits = new ArrayList<>();
        for (LocalEnd end :
                ends.subList(Math.max(0, ends.size() - last), ends.size()).reversed()) {
            List<OomKillEvent> ofLife = kills.stream()
                    .filter(end::covers)
                    .map(kill -> end.isEndedBy(kill) ? ofMain(kill) : kill)
                    .toList();
            ExitEvent exit = asCertainAs(ofLife, ExitRules.explain(end.end(), List.of(), ofLife, NO_TRACE));
            exits.add(Unrecorded.isSo(exit) ? Unrecorded.explain(exit, end, ofLife, ring()) : exit);
        }
        if (!ends.isEmpty()) {
            addHost(facts, ends.getLast(), exits.getFirst(), isDocker);
        }
        return new WhyAnswer(name, exits, newest(kills, last), facts, unread, restarted);
    }

    /**
     * An OOM kill of the main process is certain if the kernel's report shows no other process there. Otherwise the name
     * and the time of the victim speak for it, and nothing says it.
     */
    private static ExitEvent asCertainAs(List<OomKillEvent> kills, ExitEvent exit) {
        boolean alone = kills.stream()
                .filter(kill -> kill.getVictim().getIsContainerInit())
                .anyMatch(LocalEnd::isAlone);
        return exit.getCause() == ExitEvent.Cause.OOM_KILL && !alone
                ? exit.toBuilder().setCertainty(ExitEvent.Certainty.INFERRED).build()
                : exit;
    }

    private static OomKillEvent ofMain(OomKillEvent kill) {
        OomKillEvent.Builder main = kill.toBuilder();
        main.getVictimBuilder().setIsContainerInit(true);
        return main.build();
    }

    private void addHost(List<Fact> facts, LocalEnd newest, ExitEvent exit, boolean isDocker) {
        HostFacts beside = new HostFacts(host, programs);
        beside.addStart(newest.ended());
        beside.addLogins(newest.ended(), Unrecorded.isSo(exit) ? "a person sent the signal" : "");
        Path root = Path.of("/");
        Path dockerRoot = isDocker ? docker.root().orElse(DOCKER_ROOT) : root;
        if (isDocker && Files.isDirectory(dockerRoot)) {
            beside.addDisks(root, dockerRoot);
            beside.addLogs(dockerRoot.resolve("containers"));
        } else {
            beside.addDisks(root);
        }
        facts.addAll(beside.facts());
        unread.addAll(beside.unread());
    }

    private static List<OomKillEvent> newest(List<OomKillEvent> kills, int last) {
        return kills.stream()
                .sorted(Comparator.comparing((OomKillEvent kill) -> Host.instant(kill.getTime()))
                        .reversed())
                .limit(last)
                .toList();
    }
}
