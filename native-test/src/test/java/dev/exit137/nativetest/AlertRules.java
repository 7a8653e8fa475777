package dev.exit137.nativetest;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** The monitoring overlay, and the programs that test it. */
final class AlertRules {
    /** The directory of the manifests, the rules' tests and the dashboard. */
    static final Path OVERLAY = Bed.REPOSITORY.resolve("k8s/overlays/monitoring");

    private static final Path UNPACKED = Bed.MODULE.resolve("target/prometheus/usr/bin");

    private AlertRules() {}

    /** Returns Prometheus or promtool, by bin/setup or installed; skips the calling test if it is missing. */
    static String program(String name) {
        Path unpacked = UNPACKED.resolve(name);
        Optional<Path> program = Files.isExecutable(unpacked) ? Optional.of(unpacked) : Bed.find(name);
        if (program.isEmpty()) {
            Bed.skip("the monitoring bed", "no " + name + " on PATH or in " + UNPACKED + "; bin/setup test gets it");
        }
        return program.get().toString();
    }

    /** Writes the PrometheusRule's groups, the part below {@code spec:}, to a file that Prometheus itself reads. */
    static Path write(Path directory) throws IOException {
        List<String> lines = Files.readAllLines(OVERLAY.resolve("prometheusrule.yaml"));
        List<String> rules = lines.subList(lines.indexOf("spec:") + 1, lines.size());
        return Files.write(
                directory.resolve("rules.yaml"),
                rules.stream().map(line -> line.replaceFirst("^ {2}", "")).toList());
    }
}
