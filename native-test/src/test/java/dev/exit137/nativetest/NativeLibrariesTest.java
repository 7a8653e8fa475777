package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The native libraries that an image has unpacked, of an architecture that this machine may not have. */
@Tag("kernel")
class NativeLibrariesTest {
    private static final Path JARS = Bed.REPOSITORY.resolve("cli/target/dist/lib");
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @ParameterizedTest
    // e_machine: EM_X86_64, EM_AARCH64 (elf(5))
    @CsvSource({"x86_64, 62", "aarch64, 183"})
    void everyNativeLibraryOfTheArchitectureIsUnpacked(String architecture, short machine) throws Exception {
        Path out = Bed.freshDirectory("natives-" + architecture);
        Path directory = out.resolve("native");
        Bed.Finished unpacked = Bed.run(
                out,
                "unpack",
                LIMIT,
                new ProcessBuilder(
                        Bed.REPOSITORY.resolve("bin/unpack-natives").toString(),
                        architecture,
                        JARS.toString(),
                        directory.toString()));
        assertThat(unpacked.status()).as(unpacked.errText()).isZero();

        Set<String> names = new TreeSet<>();
        try (DirectoryStream<Path> libraries = Files.newDirectoryStream(directory)) {
            for (Path library : libraries) {
                assertThat(machine(Files.readAllBytes(library)))
                        .as(library.toString())
                        .isEqualTo(machine);
                names.add(library.getFileName().toString());
            }
        }
        assertThat(names).isNotEmpty().isEqualTo(namesInTheJars(machine));
    }

    /** Returns the libraries of this ELF machine: jars name architectures in different ways. */
    private static Set<String> namesInTheJars(int machine) throws IOException {
        Set<String> names = new TreeSet<>();
        try (DirectoryStream<Path> jars = Files.newDirectoryStream(JARS, "*.jar")) {
            for (Path jar : jars) {
                try (ZipFile zip = new ZipFile(jar.toFile())) {
                    for (ZipEntry entry : zip.stream().toList()) {
                        String name = entry.getName();
                        if (name.endsWith(".so")
                                && machine(zip.getInputStream(entry).readAllBytes()) == machine) {
                            names.add(name.substring(name.lastIndexOf('/') + 1));
                        }
                    }
                }
            }
        }
        return names;
    }

    private static int machine(byte[] elf) {
        return ByteBuffer.wrap(elf).order(ByteOrder.LITTLE_ENDIAN).getShort(18);
    }
}
