package dev.exit137.agent.cgroup;

import dev.exit137.proto.v1.AgentStatus.CgroupMode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The mount of the cgroup hierarchy with the memory controller, and its version.
 *
 * @param root the directory where {@code prefix} of the hierarchy is mounted
 * @param mode never {@code NONE} or unspecified
 * @param prefix path of {@code root} within the whole hierarchy as the kernel's log spells it; empty for the
 *     hierarchy's root
 */
public record CgroupMount(Path root, CgroupMode mode, String prefix) {

    /** Whether the memory controller is that of cgroup v2. */
    public boolean isV2() {
        return mode == CgroupMode.V2 || mode == CgroupMode.HYBRID_V2;
    }

    /**
     * Finds the hierarchy with the memory controller.
     *
     * @param procRoot a procfs; its {@code self/mountinfo} is read (proc_pid_mountinfo(5))
     * @param cgroupRoot look only here, or in its {@code memory} and {@code unified} subdirectories; null for anywhere
     * @return empty where no memory controller is mounted
     */
    public static Optional<CgroupMount> find(Path procRoot, @Nullable Path cgroupRoot) throws IOException {
        List<Mount> mounts = cgroupMounts(procRoot);
        boolean anyV1 = mounts.stream().anyMatch(Mount::isV1);
        boolean anyV2 = mounts.stream().anyMatch(mount -> !mount.isV1());
        if (cgroupRoot != null) {
            for (Path candidate : List.of(cgroupRoot, cgroupRoot.resolve("memory"), cgroupRoot.resolve("unified"))) {
                Optional<Boolean> v1 = memoryControllerIsV1(candidate);
                if (v1.isPresent()) {
                    String prefix = mounts.stream()
                            .filter(mount -> mount.point().equals(candidate))
                            .map(Mount::prefix)
                            .findFirst()
                            .orElse("");
                    return Optional.of(new CgroupMount(candidate, mode(v1.get(), anyV1 && anyV2), prefix));
                }
            }
            return Optional.empty();
        }
        for (Mount mount : mounts) {
            if (mount.isV1()
                    ? mount.hasMemory()
                    : memoryControllerIsV1(mount.point()).isPresent()) {
                return Optional.of(new CgroupMount(mount.point(), mode(mount.isV1(), anyV1 && anyV2), mount.prefix()));
            }
        }
        return Optional.empty();
    }

    private static CgroupMode mode(boolean v1, boolean hybrid) {
        if (hybrid) {
            return v1 ? CgroupMode.HYBRID_V1 : CgroupMode.HYBRID_V2;
        }
        return v1 ? CgroupMode.V1 : CgroupMode.V2;
    }

    /** True for the controller of v1, false for that of v2, empty where there is no memory controller. */
    private static Optional<Boolean> memoryControllerIsV1(Path directory) throws IOException {
        if (Files.exists(directory.resolve("memory.oom_control"))) {
            return Optional.of(true);
        }
        Path controllers = directory.resolve("cgroup.controllers");
        if (Files.exists(controllers)
                && List.of(Files.readString(controllers).trim().split(" ")).contains("memory")) {
            return Optional.of(false);
        }
        return Optional.empty();
    }

    private record Mount(Path point, String prefix, boolean isV1, boolean hasMemory) {}

    private static List<Mount> cgroupMounts(Path procRoot) throws IOException {
        List<Mount> mounts = new ArrayList<>();
        for (String line : Files.readAllLines(procRoot.resolve("self/mountinfo"), StandardCharsets.ISO_8859_1)) {
            // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
            String[] halves = line.split(" - ", 2);
            String[] left = halves[0].split(" ", 0);
            String[] right = halves.length == 2 ? halves[1].split(" ", 0) : new String[0];
            if (left.length < 5 || right.length < 3 || !right[0].startsWith("cgroup")) {
                continue;
            }
            // A root of `/..` is above this process' cgroup namespace: the log's paths cannot be mapped to it.
            String root = unescape(left[3]);
            String prefix = root.equals("/") || root.startsWith("/..") ? "" : root;
            boolean v1 = right[0].equals("cgroup");
            mounts.add(new Mount(
                    Path.of(unescape(left[4])),
                    prefix,
                    v1,
                    List.of(right[2].split(",")).contains("memory")));
        }
        return mounts;
    }

    /** mountinfo writes space, tab, newline and backslash as {@code \040}. */
    private static String unescape(String field) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < field.length(); i++) {
            if (field.charAt(i) == '\\' && i + 3 < field.length()) {
                text.append((char) Integer.parseInt(field.substring(i + 1, i + 4), 8));
                i += 3;
            } else {
                text.append(field.charAt(i));
            }
        }
        return new String(text.toString().getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
    }
}
