package dev.exit137.agent.container;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The memory flags of a Java virtual machine. The rest of its command line and environment is not kept: a flag is taken
 * only if it is one of these, with a number.
 *
 * @param flags in the order in which HotSpot applies them, as given
 * @param isComplete false if there may be more flags: in files, in an environment that could not be read, or beyond the
 *     limit
 */
record JvmFlags(List<String> flags, boolean isComplete) {
    private static final int MAX_FLAGS = 32;
    private static final Pattern MEMORY_FLAG = Pattern.compile("-X(?:mx|ms|mn|ss)\\d{1,18}[kKmMgGtT]?"
            + "|-XX:(?:MaxHeapSize|InitialHeapSize|SoftMaxHeapSize|MaxRAM|MaxMetaspaceSize|CompressedClassSpaceSize"
            + "|MaxDirectMemorySize|ReservedCodeCacheSize|ThreadStackSize)=\\d{1,18}[kKmMgGtT]?"
            + "|-XX:(?:Max|Min|Initial)RAMPercentage=\\d{1,3}(?:\\.\\d{1,12})?"
            + "|-XX:(?:Max|Min|Initial)RAMFraction=\\d{1,9}"
            + "|-XX:[+-](?:UseContainerSupport|UseCGroupMemoryLimitForHeap|AlwaysPreTouch)");
    // -XX:Flags= and -XX:VMOptionsFile= name files with more; so does @file to the launcher.
    private static final Pattern FILE_OF_FLAGS =
            Pattern.compile("(?:@|-XX:Flags=|-XX:VMOptionsFile=).*", Pattern.DOTALL);
    // Options of the java launcher with the value in the next argument (the JDK's java.c, IsWhiteSpaceOption).
    private static final Set<String> WITH_VALUE = Set.of(
            "-cp",
            "-classpath",
            "--class-path",
            "-p",
            "--module-path",
            "--upgrade-module-path",
            "--add-modules",
            "--enable-native-access",
            "--limit-modules",
            "--add-exports",
            "--add-opens",
            "--add-reads",
            "--patch-module",
            "--source");
    private static final Pattern SIZE = Pattern.compile("-(?:Xmx|XX:MaxHeapSize=)(?<number>\\d+)(?<unit>[kKmMgGtT]?)");
    private static final Pattern MAX_RAM = Pattern.compile("-XX:MaxRAM=(?<number>\\d+)(?<unit>[kKmMgGtT]?)");

    /**
     * The default of MaxHeapSize on 64 bits, 96 MiB x 1.3: if MinRAMPercentage of the memory is less, MaxRAMPercentage
     * does not count (HotSpot's set_heap_size).
     */
    private static final double DEFAULT_MAX_HEAP_BYTES = (96 << 20) * 1.3;
    /** Above it, it depends on the version whether the heap must fit compressed pointers. */
    private static final double COMPRESSED_POINTERS_BYTES = 30L << 30;

    JvmFlags {
        flags = List.copyOf(flags);
    }

    /** Returns whether these are the arguments of a {@code java} command. */
    static boolean isJava(List<String> arguments) {
        String command = arguments.isEmpty() ? "" : arguments.getFirst();
        return command.substring(command.lastIndexOf('/') + 1).equals("java");
    }

    /**
     * Reads the flags from a process' arguments and environment. HotSpot applies JAVA_TOOL_OPTIONS first and
     * _JAVA_OPTIONS last; the launcher puts JDK_JAVA_OPTIONS before its arguments.
     *
     * @param environment {@code NAME=value}; null where it cannot be read
     */
    static JvmFlags of(List<String> arguments, @Nullable List<String> environment) {
        List<String> variables = environment == null ? List.of() : environment;
        List<String> all = Stream.of(
                        words(variables, "JAVA_TOOL_OPTIONS="), words(variables, "JDK_JAVA_OPTIONS="),
                        launcherOptions(arguments), words(variables, "_JAVA_OPTIONS="))
                .flatMap(List::stream)
                .toList();
        List<String> flags =
                all.stream().filter(word -> MEMORY_FLAG.matcher(word).matches()).toList();
        boolean isComplete = environment != null
                && flags.size() <= MAX_FLAGS
                && all.stream().noneMatch(word -> FILE_OF_FLAGS.matcher(word).matches());
        return new JvmFlags(flags.subList(0, Math.min(flags.size(), MAX_FLAGS)), isComplete);
    }

    /** HotSpot and the launcher split at white space that is not quoted; a number needs no quotes. */
    private static List<String> words(List<String> variables, String name) {
        return variables.stream()
                .filter(variable -> variable.startsWith(name))
                .findFirst()
                .map(variable -> List.of(variable.substring(name.length())
                        .replaceAll("[\"']", "")
                        .split("\\s+")))
                .orElse(List.of());
    }

    /** The first argument that is not an option is the main class or the jar: the rest belongs to the program. */
    private static List<String> launcherOptions(List<String> arguments) {
        List<String> options = new ArrayList<>();
        for (int i = 1; i < arguments.size(); i++) {
            String argument = arguments.get(i);
            if (!argument.startsWith("-") && !argument.startsWith("@")) {
                break;
            }
            options.add(argument);
            if (WITH_VALUE.contains(argument)) {
                i++;
            }
        }
        return options;
    }

    /**
     * Returns the largest heap size, bytes, if it follows from the flags.
     *
     * @param containerBytes the container's own limit; 2^64-1 for none, null where it is not known
     * @param nodeBytes memory of the node; null where it is not known
     */
    OptionalLong maxHeapBytes(@Nullable Long containerBytes, @Nullable Long nodeBytes) {
        if (!isComplete) {
            return OptionalLong.empty();
        }
        OptionalLong given = lastSize(SIZE);
        return given.isPresent() ? given : shareOfMemory(containerBytes, nodeBytes);
    }

    private OptionalLong shareOfMemory(@Nullable Long containerBytes, @Nullable Long nodeBytes) {
        OptionalDouble percentage = percentage("Max");
        OptionalLong whole = memoryBytes(containerBytes, nodeBytes);
        if (percentage.isEmpty() || whole.isEmpty()) {
            return OptionalLong.empty();
        }
        double memory = whole.getAsLong();
        double heap = memory * percentage.getAsDouble() / 100;
        boolean counts = memory * percentage("Min").orElse(50) / 100 >= DEFAULT_MAX_HEAP_BYTES;
        return counts && heap >= DEFAULT_MAX_HEAP_BYTES && heap <= COMPRESSED_POINTERS_BYTES
                ? OptionalLong.of((long) heap)
                : OptionalLong.empty();
    }

    /** The memory that HotSpot takes for the machine's. */
    private OptionalLong memoryBytes(@Nullable Long containerBytes, @Nullable Long nodeBytes) {
        OptionalLong maxRam = lastSize(MAX_RAM);
        if (maxRam.isPresent() || nodeBytes == null) {
            return maxRam;
        }
        if (flags.contains("-XX:-UseContainerSupport")) {
            return OptionalLong.of(nodeBytes);
        }
        if (containerBytes == null) {
            return OptionalLong.empty();
        }
        return OptionalLong.of(containerBytes > 0 ? Math.min(nodeBytes, containerBytes) : nodeBytes);
    }

    /** Returns -XX:MaxRAMPercentage, or else the value of the older -XX:MaxRAMFraction as a percentage. */
    private OptionalDouble percentage(String which) {
        String percentage = "-XX:" + which + "RAMPercentage=";
        String fraction = "-XX:" + which + "RAMFraction=";
        OptionalDouble given = lastNumber(percentage);
        return given.isPresent()
                ? given
                : lastNumber(fraction).stream()
                        .filter(parts -> parts > 0)
                        .map(parts -> 100 / parts)
                        .findFirst();
    }

    private OptionalDouble lastNumber(String name) {
        return flags.reversed().stream()
                .filter(flag -> flag.startsWith(name))
                .mapToDouble(flag -> Double.parseDouble(flag.substring(name.length())))
                .findFirst();
    }

    private OptionalLong lastSize(Pattern pattern) {
        for (String flag : flags.reversed()) {
            Matcher matcher = pattern.matcher(flag);
            if (matcher.matches()) {
                String unit = matcher.group("unit");
                int shift = unit.isEmpty() ? 0 : 10 * (1 + "kmgt".indexOf(unit.toLowerCase(Locale.ROOT)));
                long number = Long.parseLong(matcher.group("number"));
                // A number beyond 2^63-1 is not a size: HotSpot would not have started with it.
                boolean fits = number > 0 && number <= Long.MAX_VALUE >> shift;
                return fits ? OptionalLong.of(number << shift) : OptionalLong.empty();
            }
        }
        return OptionalLong.empty();
    }
}
