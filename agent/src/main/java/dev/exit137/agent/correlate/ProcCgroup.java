package dev.exit137.agent.correlate;

import dev.exit137.oomreport.parse.ByteText;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** Reads a process' memory cgroup from procfs (cgroups(7)), if that process is still the one that was killed. */
final class ProcCgroup {
  private static final String DELETED = " (deleted)";

  private final Path procRoot;
  private final boolean v2;

  ProcCgroup(Path procRoot, boolean v2) {
    this.procRoot = procRoot;
    this.v2 = v2;
  }

  /** @return the path within the hierarchy, or null when the process is gone, or another one */
  String pathOf(long pid, ByteText comm) {
    Path process = procRoot.resolve(Long.toString(pid));
    try {
      byte[] name = Files.readAllBytes(process.resolve("comm"));
      ByteText commNow = new ByteText(16);
      commNow.set(name, 0, Math.max(0, name.length - 1));
      if (!commNow.contentEquals(comm)) {
        return null;
      }
      return path(new String(Files.readAllBytes(process.resolve("cgroup")), StandardCharsets.UTF_8));
    } catch (IOException e) {
      return null;
    }
  }

  private String path(String cgroups) {
    // v2: `0::/a/b`; v1: `4:memory:/a/b`
    return cgroups
        .lines()
        .map(line -> line.split(":", 3))
        .filter(fields -> fields.length == 3)
        .filter(fields -> v2 ? fields[0].equals("0") : Arrays.asList(fields[1].split(",")).contains("memory"))
        .map(fields -> fields[2])
        .map(path -> path.endsWith(DELETED) ? path.substring(0, path.length() - DELETED.length()) : path)
        .findFirst()
        .orElse(null);
  }
}
