package dev.exit137.cli.documents;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import com.google.protobuf.Descriptors.MethodDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.util.JsonFormat;
import dev.exit137.cli.Main;
import dev.exit137.cli.options.EnvironmentDefaults;
import dev.exit137.cli.terminal.StopSignal;
import dev.exit137.cli.terminal.Terminal;
import dev.exit137.proto.v1.ListEventsRequest;
import dev.exit137.proto.v1.ListExitsRequest;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** What the documents tell people to type is there, and so is what they point to. */
class DocumentsTest {
    private static final List<ServiceDescriptor> SERVICES = List.of(
            ListEventsRequest.getDescriptor().getFile().findServiceByName("OomEvents"),
            ListExitsRequest.getDescriptor().getFile().findServiceByName("ExitEvents"));
    private static final Pattern FLAG = Pattern.compile("^(--[a-z][a-z-]+)(?:[ =].*)?$");
    private static final Pattern VARIABLE = Pattern.compile("EXIT137_[A-Z0-9_]+");
    private static final Pattern LINK = Pattern.compile("\\]\\(([^)\\s]+)\\)");
    /** {@code | `--retention DURATION` | `30d` | …}. */
    private static final Pattern DEFAULT = Pattern.compile("^\\| `(--[a-z-]+)[^`]*` \\| `([^`]+)`.*");

    /** What the checks look for. */
    private static final Map<String, Function<Document, List<?>>> KINDS = Map.of(
            "calls of the program", DocumentsTest::calls,
            "flags", DocumentsTest::flags,
            "defaults of flags", DocumentsTest::defaults,
            "environment variables", DocumentsTest::variables,
            "targets of make", DocumentsTest::targets,
            "manifests", DocumentsTest::manifests,
            "calls of grpcurl", DocumentsTest::grpcCalls,
            "requests of grpcurl",
                    document -> grpcCalls(document).stream()
                            .filter(call -> !call.request.equals("{}"))
                            .toList(),
            "links", DocumentsTest::links,
            "links to headings",
                    document -> links(document).stream()
                            .filter(link -> link.contains("#"))
                            .toList());

    /** @param method its name alone */
    private record GrpcCall(ServiceDescriptor service, String method, String request) {}

    static List<Document> documents() throws IOException {
        return Document.all();
    }

    static Set<String> kinds() {
        return KINDS.keySet();
    }

    /** Or its check could not fail. */
    @ParameterizedTest
    @MethodSource("kinds")
    void theDocumentsHaveSomeOfEachKind(String kind) throws IOException {
        assertThat(documents().stream().flatMap(document -> KINDS.get(kind).apply(document).stream()))
                .as(kind)
                .isNotEmpty();
    }

    @ParameterizedTest
    @MethodSource("documents")
    void everyCallOfTheProgramIsOneThatItTakes(Document document) {
        for (List<String> call : calls(document)) {
            assertThatCode(() -> program().parseArgs(call.stream().skip(1).toArray(String[]::new)))
                    .as("%s: %s", document.file(), String.join(" ", call))
                    .doesNotThrowAnyException();
        }
    }

    private static List<List<String>> calls(Document document) {
        return document.calls("bin/exit137");
    }

    @ParameterizedTest
    @MethodSource("documents")
    void everyFlagExists(Document document) {
        assertThat(options().keySet()).as("flags in %s", document.file()).containsAll(flags(document));
    }

    private static List<String> flags(Document document) {
        return document.code().stream()
                .map(FLAG::matcher)
                .filter(Matcher::matches)
                .map(flag -> flag.group(1))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("documents")
    void aFlagsDefaultIsThatOfItsHelp(Document document) {
        defaults(document)
                .forEach(row -> assertThat(options().get(row.group(1)).stream()
                                .map(option -> String.join(" ", option.description())
                                        .replace("${DEFAULT-VALUE}", option.defaultValueString(false)))
                                .toList())
                        .as("%s: %s", document.file(), row.group())
                        .anySatisfy(help -> assertThat(help).contains("(default: " + row.group(2) + ")")));
    }

    private static List<MatchResult> defaults(Document document) {
        return document.prose().stream()
                .map(DEFAULT::matcher)
                .filter(Matcher::matches)
                .map(Matcher::toMatchResult)
                .toList();
    }

    @ParameterizedTest
    @MethodSource("documents")
    void everyEnvironmentVariableIsRead(Document document) throws IOException {
        String launcher = Files.readString(Document.ROOT.resolve("bin/exit137"));
        Set<String> twins = options().values().stream()
                .flatMap(List::stream)
                .flatMap(option -> EnvironmentDefaults.twin(option).stream())
                .collect(Collectors.toSet());
        variables(document).stream()
                .filter(variable -> !launcher.contains(variable))
                .forEach(variable ->
                        assertThat(twins).as("variables in %s", document.file()).contains(variable));
    }

    private static List<String> variables(Document document) {
        return VARIABLE.matcher(text(document))
                .results()
                .map(MatchResult::group)
                .toList();
    }

    @ParameterizedTest
    @MethodSource("documents")
    void everyMakeTargetExists(Document document) throws IOException {
        List<String> makefile = Files.readAllLines(Document.ROOT.resolve("Makefile"));
        assertThat(targets(document))
                .as("targets in %s", document.file())
                .allMatch(target -> makefile.stream().anyMatch(line -> line.startsWith(target + ":")));
    }

    private static List<String> targets(Document document) {
        return document.calls("make").stream().map(call -> call.get(1)).toList();
    }

    @ParameterizedTest
    @MethodSource("documents")
    void everyManifestThatIsAppliedIsThere(Document document) {
        assertThat(manifests(document))
                .as("manifests in %s", document.file())
                .allMatch(path -> Files.exists(Document.ROOT.resolve(path)));
    }

    private static List<String> manifests(Document document) {
        return document.calls("kubectl apply").stream()
                .map(List::getLast)
                .filter(path -> !path.startsWith("-"))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("documents")
    void everyCallOfGrpcurlFitsTheContract(Document document) {
        for (GrpcCall call : grpcCalls(document)) {
            MethodDescriptor method = call.service.findMethodByName(call.method);
            assertThat(method).as("%s: %s", document.file(), call.method).isNotNull();
            assertThatCode(() ->
                            JsonFormat.parser().merge(call.request, DynamicMessage.newBuilder(method.getInputType())))
                    .as("%s: %s", document.file(), call.request)
                    .doesNotThrowAnyException();
        }
    }

    private static List<GrpcCall> grpcCalls(Document document) {
        List<GrpcCall> calls = new ArrayList<>();
        for (List<String> call : document.calls("grpcurl")) {
            String request = call.contains("-d") ? call.get(call.indexOf("-d") + 1) : "{}";
            for (ServiceDescriptor service : SERVICES) {
                String prefix = service.getFullName() + "/";
                call.stream()
                        .filter(word -> word.startsWith(prefix))
                        .forEach(word -> calls.add(new GrpcCall(service, word.substring(prefix.length()), request)));
            }
        }
        return calls;
    }

    @ParameterizedTest
    @MethodSource("documents")
    void everyLinkLeadsToAFileAndAHeading(Document document) throws IOException {
        for (String link : links(document)) {
            String[] parts = link.split("#", 2);
            Path target = parts[0].isEmpty()
                    ? document.file()
                    : document.file().resolveSibling(parts[0]).normalize();
            assertThat(Document.ROOT.resolve(target))
                    .as("link in %s", document.file())
                    .exists();
            if (parts.length == 2) {
                assertThat(Document.read(target).anchors())
                        .as("link in %s", document.file())
                        .contains(parts[1]);
            }
        }
    }

    /** To other places of the repository. */
    private static List<String> links(Document document) {
        return LINK.matcher(String.join("\n", document.prose()))
                .results()
                .map(link -> link.group(1))
                .filter(link -> !link.contains("://"))
                .toList();
    }

    @Test
    void theReadmeLeadsToEveryDocument() throws IOException {
        String readme = text(Document.read(Path.of("README.md")));
        assertThat(documents())
                .map(document -> document.file().toString())
                .filteredOn(file -> file.startsWith("docs/"))
                .isNotEmpty()
                .allSatisfy(file -> assertThat(readme).contains("(" + file + ")"));
    }

    private static String text(Document document) {
        return Stream.concat(document.prose().stream(), document.blocks().stream())
                .collect(Collectors.joining("\n"));
    }

    /** By name, of whichever subcommand. */
    private static Map<String, List<OptionSpec>> options() {
        return program().getSubcommands().values().stream()
                .flatMap(subcommand -> subcommand.getCommandSpec().options().stream())
                .collect(Collectors.groupingBy(OptionSpec::longestName));
    }

    private static CommandLine program() {
        var nowhere = new PrintStream(OutputStream.nullOutputStream());
        return Main.commandLine(new Terminal(
                nowhere, nowhere, Map.of(), InstantSource.system(), ZoneOffset.UTC, new StopSignal(Set.of())));
    }
}
