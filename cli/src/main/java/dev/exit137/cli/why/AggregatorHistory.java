package dev.exit137.cli.why;

import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Timestamps;
import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.client.EventPages;
import dev.exit137.cli.client.EventPages.Page;
import dev.exit137.cli.terminal.Failure;
import dev.exit137.cli.terminal.OutputClosedException;
import dev.exit137.proto.v1.EventFilter;
import dev.exit137.proto.v1.ExitEvent;
import dev.exit137.proto.v1.ExitFilter;
import dev.exit137.proto.v1.GetEventRequest;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.ListEventsResponse;
import dev.exit137.proto.v1.ListExitsRequest;
import dev.exit137.proto.v1.ListExitsResponse;
import dev.exit137.proto.v1.OomKillEvent;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Finds the ends and OOM kills of a subject in an aggregator's store. */
public final class AggregatorHistory {
    /** Newest events that a name is asked for with, and that a part of a name is looked for in. */
    private static final int MAX_NAMED = 200;

    private static final int MAX_SEARCHED = 2000;
    private static final int MAX_CANDIDATES = 10;

    private final AggregatorClient client;
    private final String node;
    private final Set<String> names = new LinkedHashSet<>();
    private boolean knowsExits = true;

    /** @param node to look at only; empty for all */
    public AggregatorHistory(AggregatorClient client, String node) {
        this.client = client;
        this.node = node;
    }

    /** Names of other subjects, after a subject was not found. */
    public Set<String> names() {
        return names;
    }

    /** Whether the aggregator knows ends; an older one does not. */
    public boolean knowsExits() {
        return knowsExits;
    }

    /**
     * The last ends of the subject, and the OOM kills in it.
     *
     * @param last largest number of ends, and of OOM kills
     * @return empty if the aggregator has neither
     * @throws Failure the aggregator does not answer, or the subject can mean several things
     */
    public Optional<WhyAnswer> find(Subject subject, int last) throws Failure, OutputClosedException {
        List<ExitEvent> exits = exits(subject);
        List<OomKillEvent> kills = kills(subject);
        if (exits.isEmpty() && kills.isEmpty()) {
            exits = search(subject, allExits(), Names::of);
            kills = search(subject, allKills(), Names::of);
        }
        if (exits.isEmpty() && kills.isEmpty()) {
            return Optional.empty();
        }
        Subject.Meaning meaning = onlyMeaning(subject, exits, kills);
        if (kills.isEmpty() && !meaning.isAskedByName()) {
            kills = search(subject, allKills(), Names::of);
        }
        return Optional.of(new WhyAnswer(
                meaning.subject() + (meaning.node().isEmpty() ? "" : " on " + meaning.node()),
                newest(subject, meaning, exits, Names::of, ExitEvent::getTime, last),
                newest(subject, meaning, kills, Names::of, OomKillEvent::getTime, last),
                List.of(),
                knowsExits
                        ? List.of()
                        : List.of("ends: this aggregator is older and knows no ends of containers and services"),
                null));
    }

    private Subject.Meaning onlyMeaning(Subject subject, List<ExitEvent> exits, List<OomKillEvent> kills)
            throws Failure {
        Map<Subject.Meaning, Timestamp> meanings = new LinkedHashMap<>();
        exits.forEach(
                exit -> subject.meaning(Names.of(exit)).ifPresent(it -> meanings.putIfAbsent(it, exit.getTime())));
        kills.forEach(
                kill -> subject.meaning(Names.of(kill)).ifPresent(it -> meanings.putIfAbsent(it, kill.getTime())));
        if (meanings.keySet().stream().anyMatch(Subject.Meaning::exact)) {
            meanings.keySet().removeIf(meaning -> !meaning.exact());
        }
        if (meanings.size() > 1) {
            throw new Failure(ambiguous(subject, meanings));
        }
        return meanings.keySet().iterator().next();
    }

    private static String ambiguous(Subject subject, Map<Subject.Meaning, Timestamp> meanings) {
        return "'" + subject + "' can mean " + meanings.size() + " things; ask for one of them:\n"
                + meanings.entrySet().stream()
                        .limit(MAX_CANDIDATES)
                        .map(each -> "  " + each.getKey().subject()
                                + (each.getKey().node().isEmpty()
                                        ? ""
                                        : " --node " + each.getKey().node())
                                + "  (last seen " + Timestamps.toString(each.getValue()) + ")")
                        .collect(Collectors.joining("\n"))
                + (meanings.size() > MAX_CANDIDATES ? "\n  and " + (meanings.size() - MAX_CANDIDATES) + " more" : "");
    }

    private static <E> List<E> newest(
            Subject subject,
            Subject.Meaning meaning,
            List<E> events,
            Function<E, Names> naming,
            Function<E, Timestamp> time,
            int last) {
        return events.stream()
                .distinct()
                .filter(event -> subject.meaning(naming.apply(event))
                        .filter(meaning::equals)
                        .isPresent())
                .sorted(Comparator.comparing(time, Timestamps.comparator()).reversed())
                .limit(last)
                .toList();
    }

    private List<ExitEvent> exits(Subject subject) throws Failure, OutputClosedException {
        List<ExitEvent> found = new ArrayList<>();
        if (subject.isEventId()) {
            GetEventRequest request = idRequest(subject);
            optional(() -> client.askExits(stub -> stub.getExit(request)), Status.Code.NOT_FOUND)
                    .ifPresent(found::add);
        }
        for (ExitFilter.Builder filter : exitFilters(subject)) {
            found.addAll(listExits(filter.setNode(node).build(), MAX_NAMED));
        }
        return found;
    }

    private List<OomKillEvent> kills(Subject subject) throws Failure, OutputClosedException {
        List<OomKillEvent> found = new ArrayList<>();
        if (subject.isEventId()) {
            GetEventRequest request = idRequest(subject);
            optional(() -> client.ask(stub -> stub.getEvent(request)), Status.Code.NOT_FOUND)
                    .ifPresent(found::add);
        }
        for (EventFilter.Builder filter : killFilters(subject)) {
            found.addAll(listKills(filter.setNode(node).build(), MAX_NAMED));
        }
        return found;
    }

    private GetEventRequest idRequest(Subject subject) {
        return GetEventRequest.newBuilder()
                .setEventId(subject.text())
                .setNode(node)
                .build();
    }

    private static List<ExitFilter.Builder> exitFilters(Subject subject) {
        List<ExitFilter.Builder> filters = new ArrayList<>();
        for (EventFilter.Builder same : killFilters(subject)) {
            filters.add(ExitFilter.newBuilder()
                    .setNamespace(same.getNamespace())
                    .setPod(same.getPod())
                    .setContainer(same.getContainer()));
        }
        if (subject.isUnit()) {
            filters.add(ExitFilter.newBuilder().setUnit(subject.unitName()));
        }
        return filters;
    }

    private static List<EventFilter.Builder> killFilters(Subject subject) {
        List<String> parts = subject.podParts();
        if (subject.isPod() && parts.size() > 1) {
            EventFilter.Builder pod =
                    EventFilter.newBuilder().setNamespace(parts.get(0)).setPod(parts.get(1));
            return List.of(parts.size() == 3 ? pod.setContainer(parts.get(2)) : pod);
        }
        List<EventFilter.Builder> filters = new ArrayList<>();
        if (subject.isPod()) {
            filters.add(EventFilter.newBuilder().setPod(subject.text()));
        }
        if (subject.isDocker()) {
            filters.add(EventFilter.newBuilder().setContainer(subject.text()));
        }
        return filters;
    }

    private List<ExitEvent> allExits() throws Failure, OutputClosedException {
        return listExits(ExitFilter.newBuilder().setNode(node).build(), MAX_SEARCHED);
    }

    private List<OomKillEvent> allKills() throws Failure, OutputClosedException {
        return listKills(EventFilter.newBuilder().setNode(node).build(), MAX_SEARCHED);
    }

    private <E> List<E> search(Subject subject, List<E> events, Function<E, Names> naming) {
        events.forEach(event -> names.addAll(naming.apply(event).familiar()));
        return events.stream()
                .filter(event -> subject.meaning(naming.apply(event)).isPresent())
                .toList();
    }

    private List<ExitEvent> listExits(ExitFilter filter, int limit) throws Failure, OutputClosedException {
        List<ExitEvent> found = new ArrayList<>();
        if (!knowsExits) {
            return found;
        }
        EventPages.read(
                limit,
                (size, token) -> {
                    ListExitsRequest request = ListExitsRequest.newBuilder()
                            .setFilter(filter)
                            .setPageSize(size)
                            .setPageToken(token)
                            .build();
                    Optional<ListExitsResponse> page =
                            optional(() -> client.askExits(stub -> stub.listExits(request)), Status.Code.UNIMPLEMENTED);
                    knowsExits = page.isPresent();
                    return page.map(it -> new Page<>(it.getExitsList(), it.getNextPageToken()))
                            .orElse(new Page<>(List.of(), ""));
                },
                found::add);
        return found;
    }

    private List<OomKillEvent> listKills(EventFilter filter, int limit) throws Failure, OutputClosedException {
        List<OomKillEvent> found = new ArrayList<>();
        EventPages.read(
                limit,
                (size, token) -> {
                    ListEventsRequest request = ListEventsRequest.newBuilder()
                            .setFilter(filter)
                            .setPageSize(size)
                            .setPageToken(token)
                            .build();
                    ListEventsResponse page = client.ask(stub -> stub.listEvents(request));
                    return new Page<>(page.getEventsList(), page.getNextPageToken());
                },
                found::add);
        return found;
    }

    /** A call that can fail. */
    private interface Call<T> {
        T make() throws Failure;
    }

    /** The answer; empty if the call fails with this status, or is not known to an older aggregator. */
    private static <T> Optional<T> optional(Call<T> call, Status.Code none) throws Failure {
        try {
            return Optional.of(call.make());
        } catch (Failure e) {
            if (Stream.of(none, Status.Code.UNIMPLEMENTED).anyMatch(code -> AggregatorClient.hasStatus(e, code))) {
                return Optional.empty();
            }
            throw e;
        }
    }
}
