package dev.exit137.agent.explain;

import dev.exit137.agent.cgroup.CgroupPath;
import dev.exit137.proto.v1.QosClass;

/** A cgroup in a sentence. */
public final class CgroupName {
  private static final int SHORT_ID_LENGTH = 12;
  private static final int LONGEST_PATH = 60;

  private CgroupName() {}

  /** {@code container 1da1ac35179e}, {@code pod <uid>}, {@code nginx.service}, else {@code cgroup /a/b}. */
  public static String of(String path) {
    CgroupPath cgroup = CgroupPath.parse(path);
    return switch (cgroup.owner()) {
      case CONTAINER -> "container " + cgroup.container().map(id -> id.id().substring(0, SHORT_ID_LENGTH)).orElse("");
      case POD -> "pod " + cgroup.podUid();
      case QOS_CLASS ->
          "QoS class " + (cgroup.qosClass() == QosClass.QOS_CLASS_BURSTABLE ? "Burstable" : "BestEffort");
      case NODE_ALLOCATABLE -> "kubepods (all the pods of the node)";
      case UNIT, SLICE -> last(path);
      default -> "cgroup " + (path.length() > LONGEST_PATH ? "…/" + last(path) : path);
    };
  }

  private static String last(String path) {
    String trimmed = path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
    return trimmed.substring(trimmed.lastIndexOf('/') + 1);
  }
}
