package dev.exit137.agent.cgroup;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.AgentStatus.CgroupMode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CgroupMountTest {
    @TempDir
    Path directory;

    private Optional<CgroupMount> find(Path root, String... mounts) throws IOException {
        StringBuilder mountinfo = new StringBuilder("21 1 0:5 / /proc rw - proc proc rw\n");
        for (String mount : mounts) {
            mountinfo
                    .append(mount.replace("DIR", directory.toString().replace(" ", "\\040")))
                    .append('\n');
        }
        Path proc = directory.resolve("proc");
        Files.createDirectories(proc.resolve("self"));
        Files.writeString(proc.resolve("self/mountinfo"), mountinfo);
        return CgroupMount.find(proc, root);
    }

    private Path v2(String name, String controllers) throws IOException {
        Path root = Files.createDirectories(directory.resolve(name));
        Files.writeString(root.resolve("cgroup.controllers"), controllers + "\n");
        return root;
    }

    private Path v1(String name) throws IOException {
        Path root = Files.createDirectories(directory.resolve(name));
        Files.createFile(root.resolve("memory.oom_control"));
        return root;
    }

    @Test
    void v2AloneIsV2() throws IOException {
        Path root = v2("cg", "cpu memory pids");
        assertThat(find(null, "30 1 0:26 / DIR/cg rw - cgroup2 cgroup2 rw"))
                .contains(new CgroupMount(root, CgroupMode.V2, ""));
    }

    @Test
    void v1OwnsTheMemoryControllerOfAHybridNode() throws IOException {
        Path root = v1("memory");
        v2("unified", "");
        assertThat(find(
                        null,
                        "31 1 0:27 / DIR/unified rw - cgroup2 cgroup2 rw",
                        "30 1 0:26 / DIR/memory rw - cgroup cgroup rw,memory"))
                .contains(new CgroupMount(root, CgroupMode.HYBRID_V1, ""));
    }

    @Test
    void v2OwnsItWhereV1OnlyHasOtherControllers() throws IOException {
        Path root = v2("unified", "memory");
        assertThat(find(
                        null,
                        "30 1 0:26 / DIR/cpu rw - cgroup cgroup rw,cpu",
                        "31 1 0:27 / DIR/unified rw - cgroup2 cgroup2 rw"))
                .contains(new CgroupMount(root, CgroupMode.HYBRID_V2, ""));
    }

    @Test
    void aMountOfAPartOfTheHierarchyKnowsWhichPart() throws IOException {
        v1("memory");
        assertThat(find(null, "30 1 0:26 /docker/abc DIR/memory rw - cgroup cgroup rw,memory"))
                .map(CgroupMount::prefix)
                .contains("/docker/abc");
    }

    @Test
    void theGivenRootMayBeTheDirectoryAboveTheControllers() throws IOException {
        Path root = v1("cgroup/memory");
        assertThat(find(directory.resolve("cgroup"))).map(CgroupMount::root).contains(root);
    }

    @Test
    void aPathWithASpaceIsFound() throws IOException {
        Path root = v2("a b", "memory");
        assertThat(find(null, "30 1 0:26 / DIR/a\\040b rw - cgroup2 cgroup2 rw"))
                .map(CgroupMount::root)
                .contains(root);
    }

    @Test
    void noMemoryControllerIsNoMount() throws IOException {
        v2("cg", "cpu pids");
        assertThat(find(null, "30 1 0:26 / DIR/cg rw - cgroup2 cgroup2 rw")).isEmpty();
    }
}
