package dev.exit137.cli.manifests;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.opentest4j.TestAbortedException;

/** Renders the manifests as {@code kubectl apply -k} does, with the program for that which this machine has. */
final class Kustomize {
    private static final Path ROOT =
            Path.of(System.getProperty("exit137.root")).toAbsolutePath().normalize();
    static final Path K8S = ROOT.resolve("k8s");

    // The last one is what bin/setup fetches where neither is there, or both are too old.
    private static final List<List<String>> PROGRAMS = List.of(
            List.of("kubectl", "kustomize"),
            List.of("kustomize", "build"),
            List.of(ROOT.resolve("target/kubectl/kubectl").toString(), "kustomize"));

    private static Optional<List<String>> program;

    private Kustomize() {}

    /** The names of all that can be applied: base, and overlays/NAME of each overlay. */
    static List<String> names() {
        try (Stream<Path> overlays = Files.list(K8S.resolve("overlays"))) {
            return Stream.concat(
                            Stream.of("base"),
                            overlays.map(each -> "overlays/" + each.getFileName())
                                    .sorted())
                    .toList();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** What the kustomization in this directory is rendered to; anything on stderr is an error, warnings as well. */
    static String render(Path directory) {
        return quietly(command(program(), directory));
    }

    /** What k8s/make-secrets prints. */
    static String secrets() {
        return quietly(List.of(K8S.resolve("make-secrets").toString()));
    }

    private static String quietly(List<String> command) {
        Result result = run(command);
        if (result.exitCode() != 0 || !result.err().isEmpty()) {
            throw new AssertionError(command + " says: " + result.err());
        }
        return result.out();
    }

    private record Result(int exitCode, String out, String err) {}

    private static synchronized List<String> program() {
        if (program == null) {
            // One that knows neither `labels` nor `components`, as Debian 12's, renders nothing here.
            program = PROGRAMS.stream()
                    .filter(each -> run(command(each, K8S.resolve("base"))).exitCode() == 0)
                    .findFirst();
        }
        return program.orElseThrow(() -> {
            String reason =
                    "nothing here renders k8s/base: neither kubectl of 1.22 or later, nor kustomize of 4.1 or later";
            System.out.println("SKIPPED: " + reason);
            return new TestAbortedException(reason);
        });
    }

    private static List<String> command(List<String> program, Path directory) {
        List<String> command = new ArrayList<>(program);
        command.add(directory.toString());
        return command;
    }

    private static Result run(List<String> command) {
        try {
            Path err = Files.createTempFile("kustomize", ".err");
            try {
                Process process =
                        new ProcessBuilder(command).redirectError(err.toFile()).start();
                String out = new String(process.getInputStream().readAllBytes(), UTF_8);
                return new Result(process.waitFor(), out, Files.readString(err));
            } finally {
                Files.delete(err);
            }
        } catch (IOException e) {
            return new Result(-1, "", e.getMessage());
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
