package dev.exit137.agent;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** In which pid namespace a procfs that is made up counts: the machine's, in which the kernel's log does, or another. */
public enum PidNamespace {
  MACHINE("pid:[4026531836]"),
  NODE_IN_A_CONTAINER("pid:[4026532201]");

  private final String link;

  PidNamespace(String link) {
    this.link = link;
  }

  public void of(Path procRoot) {
    try {
      Path file = procRoot.resolve("1/ns/pid");
      Files.createDirectories(file.getParent());
      Files.deleteIfExists(file);
      Files.createSymbolicLink(file, Path.of(link));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
