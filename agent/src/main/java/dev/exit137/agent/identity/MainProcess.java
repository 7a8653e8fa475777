package dev.exit137.agent.identity;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalInt;

/** What procfs says of the process that a runtime calls a container's first. Reads a file; not the agent-epoll thread. */
final class MainProcess {
  private final Path procRoot;

  MainProcess(Path procRoot) {
    this.procRoot = procRoot;
  }

  /**
   * The pid, if a process of that number is in the container now. Where the runtime counts pids in a namespace of its own
   * (a node within a container), or the process has ended, there is none.
   */
  OptionalInt confirmed(OptionalInt pid, String containerId) {
    return pid.isPresent() && isIn(pid.getAsInt(), containerId) ? pid : OptionalInt.empty();
  }

  boolean isIn(int pid, String containerId) {
    try {
      // 0::/kubepods.slice/…/cri-containerd-<id>.scope
      return Files.readString(procRoot.resolve(Integer.toString(pid)).resolve("cgroup")).contains(containerId);
    } catch (IOException e) {
      return false;
    }
  }
}
