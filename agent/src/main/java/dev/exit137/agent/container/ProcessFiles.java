package dev.exit137.agent.container;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What procfs says of a process while it lives (proc_pid_status(5)). Reads files; not the agent-epoll thread. */
final class ProcessFiles {
  /** A longer command line or environment is taken for unreadable: flags may be in what is left out. */
  private static final int MAX_BYTES = 256 << 10;
  // PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h, the same since 3.8.
  private static final String INITIAL_PID_NAMESPACE = "pid:[4026531836]";
  // NSpid:	34567	700	1
  private static final Pattern NS_PID = Pattern.compile("(?m)^NSpid:\\s+([\\d\\s]+)$");
  // USER_HZ, in which procfs counts time.
  private static final long MILLIS_PER_TICK = 10;

  private final Path procRoot;
  private final InstantSource clock;

  /**
   * @param procRoot the host's procfs
   * @param clock the node's wall clock
   */
  ProcessFiles(Path procRoot, InstantSource clock) {
    this.procRoot = procRoot;
    this.clock = clock;
  }

  /**
   * Whether its pids are those of the kernel's log. They are not on a node that is itself a container (kind), unless the
   * procfs is that of the machine.
   */
  boolean countsAsTheKernel() {
    return Stream.of("self/ns/pid", "1/ns/pid").anyMatch(this::isInitialNamespace);
  }

  private boolean isInitialNamespace(String link) {
    try {
      return Files.readSymbolicLink(procRoot.resolve(link)).toString().equals(INITIAL_PID_NAMESPACE);
    } catch (IOException e) {
      return false;
    }
  }

  /**
   * The pid, if a process of that number is in the container now. Where pids are counted in another namespace than the
   * kernel's log does (a node within a container), or the process has ended, there is none.
   */
  OptionalInt confirmed(OptionalInt pid, String containerId) {
    return pid.isPresent() && countsAsTheKernel() && isIn(pid.getAsInt(), containerId) ? pid : OptionalInt.empty();
  }

  boolean isIn(int pid, String containerId) {
    // 0::/kubepods.slice/…/cri-containerd-<id>.scope
    return read(pid, "cgroup").filter(cgroups -> cgroups.contains(containerId)).isPresent();
  }

  /** Its pids, from the namespace of this procfs to its own; empty when it is gone. */
  List<Integer> namespacePids(int pid) {
    Matcher line = NS_PID.matcher(read(pid, "status").orElse(""));
    return line.find() ? Stream.of(line.group(1).strip().split("\\s+")).map(Integer::valueOf).toList() : List.of();
  }

  /** When it started, as the wall clock is set now, to a hundredth of a second; empty when it is gone. */
  Optional<Instant> startedAt(int pid) {
    try {
      // 4711 (a) b) S 1 4711 … : the 22nd field, counted from behind the name, which may hold anything
      String stat = read(pid, "stat").orElse("");
      String[] fields = stat.substring(stat.lastIndexOf(')') + 1).strip().split(" ");
      double uptimeSeconds = Double.parseDouble(Files.readString(procRoot.resolve("uptime")).split(" ")[0]);
      if (fields.length < 20) {
        return Optional.empty();
      }
      Duration age =
          Duration.ofMillis((long) (uptimeSeconds * 1000)).minusMillis(Long.parseLong(fields[19]) * MILLIS_PER_TICK);
      return Optional.of(clock.instant().minus(age));
    } catch (IOException | ArithmeticException | NumberFormatException e) {
      return Optional.empty();
    }
  }

  /** The flags of memory, if it is a Java virtual machine. */
  Optional<JvmFlags> jvmFlags(int pid) {
    return read(pid, "cmdline")
        .map(ProcessFiles::strings)
        .filter(JvmFlags::isJava)
        .map(arguments -> JvmFlags.of(arguments, read(pid, "environ").map(ProcessFiles::strings)));
  }

  private static List<String> strings(String zeroTerminated) {
    return List.of(zeroTerminated.split("\0"));
  }

  /** Empty when it is gone, may not be read or is too long. */
  private Optional<String> read(int pid, String file) {
    try (InputStream in = Files.newInputStream(procRoot.resolve(Integer.toString(pid)).resolve(file))) {
      byte[] bytes = in.readNBytes(MAX_BYTES);
      return bytes.length < MAX_BYTES ? Optional.of(new String(bytes, ISO_8859_1)) : Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    }
  }
}
