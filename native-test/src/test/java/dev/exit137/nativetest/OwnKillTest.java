package dev.exit137.nativetest;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.OomKillEvent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The kernel kills the agent itself, on this machine: its next start tells of that kill as of any other. */
class OwnKillTest {
  private static final Duration LIMIT = Duration.ofMinutes(2);
  private static final Path V1 = Path.of("/sys/fs/cgroup/memory");
  private static final Path V2 = Path.of("/sys/fs/cgroup");
  private static final boolean IS_V1 = Files.exists(V1.resolve("memory.usage_in_bytes"));
  private static final long ROOM_BYTES = 64L << 20;
  private static final String EATEN = "128m";

  private final Path out = Bed.freshDirectory("own-kill");
  private final Path cgroup = (IS_V1 ? V1 : V2).resolve("exit137-own-kill-" + ProcessHandle.current().pid());
  private Process agent;

  @AfterEach
  void cleanUp() throws Exception {
    if (agent != null) {
      Bed.end(agent);
    }
    if (Files.exists(cgroup)) {
      Bed.await("an empty cgroup", LIMIT, () -> read("cgroup.procs"), String::isEmpty);
      Files.delete(cgroup);
    }
  }

  @Test
  void theAgentsOwnKillIsToldOnceByTheNextOne() throws Exception {
    makeTheCgroup();
    agent = start("first", "echo $$ > " + cgroup.resolve("cgroup.procs") + "; echo 1000 > /proc/self/oom_score_adj; ");
    awaitReady("first");
    long usage = Long.parseLong(read(IS_V1 ? "memory.usage_in_bytes" : "memory.current"));
    limit(usage + ROOM_BYTES);
    // Has no better claim to live than any: the agent has a worse one.
    Bed.run(out, "eater", LIMIT, new ProcessBuilder(
        "sh", "-c", "echo $$ > " + cgroup.resolve("cgroup.procs") + "; head -c " + EATEN + " /dev/zero | tail"
            + " > /dev/null"));
    assertThat(agent.waitFor()).as("killed by the kernel").isEqualTo(137);
    long pid = agent.pid();

    agent = start("second", "");
    awaitReady("second");
    List<OomKillEvent> own =
        Bed.await("its own kill", LIMIT, () -> eventsOf("second", pid), events -> !events.isEmpty());
    assertThat(own.getFirst().getVictim().getComm()).isEqualTo("java");
    assertThat(own.getFirst().getRecovered()).isTrue();
    assertThat(own.getFirst().getCgroupPath()).endsWith(cgroup.getFileName().toString());
    agent.destroy();
    agent.waitFor();

    assertThat(eventsOf("second", pid).stream().map(OomKillEvent::getEventId).distinct()).hasSize(1);
    agent = start("third", "");
    awaitReady("third");
    agent.destroy();
    agent.waitFor();
    assertThat(eventsOf("third", pid)).isEmpty();
  }

  private void makeTheCgroup() {
    if (!System.getProperty("user.name").equals("root") || !Files.isReadable(Path.of("/dev/kmsg"))) {
      Bed.skip("an agent that is killed itself", "not root, or /dev/kmsg is not readable");
    }
    try {
      Files.createDirectory(cgroup);
    } catch (IOException e) {
      Bed.skip("an agent that is killed itself", "no memory cgroup can be made: " + e);
    }
    if (!IS_V1 && !Files.exists(cgroup.resolve("memory.max"))) {
      Bed.skip("an agent that is killed itself", "the memory controller is not enabled below " + V2);
    }
  }

  private void limit(long bytes) throws IOException {
    List<String> files = IS_V1
        ? List.of("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
        : List.of("memory.max");
    for (String file : files) {
      if (Files.exists(cgroup.resolve(file))) {
        Files.writeString(cgroup.resolve(file), Long.toString(bytes));
      }
    }
    if (!IS_V1 && Files.exists(cgroup.resolve("memory.swap.max"))) {
      Files.writeString(cgroup.resolve("memory.swap.max"), "0");
    }
  }

  private Process start(String name, String before) throws IOException {
    return new ProcessBuilder(
            "sh", "-c", before + "exec " + Bed.exit137() + " run -o json --node-name bed --listen 127.0.0.1:0"
                + " --data-dir " + out.resolve("data") + " --state-dir " + out.resolve("state"))
        .redirectInput(Path.of("/dev/null").toFile())
        .redirectOutput(out.resolve(name + ".jsonl").toFile())
        .redirectError(out.resolve(name + ".log").toFile())
        .start();
  }

  private void awaitReady(String name) {
    Bed.await("the " + name + " start", LIMIT, () -> Bed.lines(out.resolve(name + ".log")),
        lines -> lines.stream().anyMatch(line -> line.contains("watching this machine")));
  }

  private List<OomKillEvent> eventsOf(String name, long pid) {
    try {
      String text = Files.readString(out.resolve(name + ".jsonl"), UTF_8);
      Stream<String> whole = text.substring(0, text.lastIndexOf('\n') + 1).lines();
      return Events.parse(whole.toList()).received().stream()
          .filter(event -> event.getVictim().getPid() == pid)
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private String read(String file) {
    try {
      return Files.readString(cgroup.resolve(file)).strip();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
