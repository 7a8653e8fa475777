package dev.exit137.oomreport.event;

import static org.assertj.core.api.Assertions.assertThat;

import dev.exit137.proto.v1.Limit.Owner;
import dev.exit137.proto.v1.QosClass;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CgroupPathTest {
    private static final String ID = "4f0c".repeat(16);
    private static final String INNER = "a1b2".repeat(16);
    private static final String UID = "0f6f9a2c-1111-2222-3333-444455556666";
    private static final String ESCAPED = UID.replace('-', '_');

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
          /                                                                                         | NODE
          /kubepods.slice                                                                           | NODE_ALLOCATABLE
          /kubepods                                                                                 | NODE_ALLOCATABLE
          /kubelet.slice/kubelet-kubepods.slice                                                     | NODE_ALLOCATABLE
          /kubepods.slice/kubepods-burstable.slice                                                  | QOS_CLASS
          /kubepods/besteffort                                                                      | QOS_CLASS
          /kubepods.slice/kubepods-pod{E}.slice                                                     | POD
          /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{E}.slice                  | POD
          /kubepods/burstable/pod{U}                                                                | POD
          /kubepods/podf1c273d3-9b36-11ea-b3df-246e9693c184                                         | POD
          /kubepods.slice/kubepods-pod{E}.slice/cri-containerd-{I}.scope                            | CONTAINER
          /kubepods.slice/kubepods-pod{E}.slice/crio-{I}.scope                                      | CONTAINER
          /kubepods/burstable/pod{U}/{I}                                                            | CONTAINER
          /kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{E}.slice/cri-containerd-{I}.scope | CONTAINER
          /system.slice/docker-{I}.scope                                                            | CONTAINER
          /docker/{I}                                                                               | CONTAINER
          /k8s.io/{I}                                                                               | CONTAINER
          /machine.slice/libpod-{I}.scope                                                           | CONTAINER
          /kubepods.slice/kubepods-pod{E}.slice/crio-conmon-{I}.scope                               | UNIT
          /kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{E}.slice/cri-containerd-{I}.scope | CONTAINER
          /kubepods/podf1c273d39b3611eab3dfd246e9693c18/{I} | CONTAINER
          /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podf1c273d39b3611eab3dfd246e9693c18.slice | POD
          /docker/{I}/kubelet/kubepods/burstable/pod{U}/{J} | CONTAINER
          /system.slice/docker-{I}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{E}.slice/cri-containerd-{J}.scope | CONTAINER
          /kubepods.slice/kubepods-pod{E}.slice/cri-containerd-{I}.scope/init.scope | UNIT
          /user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{I}.scope/container | CGROUP
          /machine.slice/libpod-conmon-{I}.scope | UNIT
          /system.slice/nginx.service                                                               | UNIT
          /user.slice/user-1000.slice/session-3.scope                                               | UNIT
          /user.slice                                                                               | SLICE
          /anything                                                                                 | CGROUP
          /system.slice/docker-{I}.scope/init.scope                                                 | UNIT
          """)
    void whoseCgroupItIs(String path, Owner owner) {
        assertThat(CgroupPath.parse(expand(path)).owner()).isEqualTo(owner);
    }

    @Test
    void aPodsContainerIsKnownWithAllThatThePathSays() {
        CgroupPath path =
                CgroupPath.parse(expand("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{E}.slice"
                        + "/cri-containerd-{I}.scope"));

        assertThat(path.container()).contains(new CgroupPath.ContainerRef("containerd", ID));
        assertThat(path.podUid()).isEqualTo(UID);
        assertThat(path.qosClass()).isEqualTo(QosClass.QOS_CLASS_BURSTABLE);
        assertThat(path.unit()).isEmpty();
    }

    @Test
    void aPodWithoutAQosLevelIsGuaranteed() {
        assertThat(CgroupPath.parse(expand("/kubepods.slice/kubepods-pod{E}.slice"))
                        .qosClass())
                .isEqualTo(QosClass.QOS_CLASS_GUARANTEED);
    }

    @Test
    void aCgroupWithinAContainerIsStillOfThatContainer() {
        assertThat(CgroupPath.parse(expand("/docker/{I}/init.scope")).container())
                .contains(new CgroupPath.ContainerRef("docker", ID));
    }

    @Test
    void aPodsContainerOnANodeThatIsAContainerItselfIsThePodsAndNotTheNode() {
        for (String kind : new String[] {
            "/docker/{I}/kubelet/kubepods/burstable/pod{U}/{J}",
            "/docker/{I}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice"
                    + "/kubelet-kubepods-burstable-pod{E}.slice/cri-containerd-{J}.scope"
        }) {
            CgroupPath path = CgroupPath.parse(expand(kind));

            assertThat(path.container()).map(CgroupPath.ContainerRef::id).contains(INNER);
            assertThat(path.podUid()).isEqualTo(UID);
            assertThat(path.qosClass()).isEqualTo(QosClass.QOS_CLASS_BURSTABLE);
        }
    }

    @Test
    void aNameThatOnlyLooksLikeAPodOrAContainerIsNeither() {
        CgroupPath path = CgroupPath.parse("/user.slice/pod0f6f9a2c-1111-2222-3333-444455556666/" + ID);

        assertThat(path.podUid()).isEmpty();
        assertThat(path.container()).isEmpty();
        assertThat(path.owner()).isEqualTo(Owner.CGROUP);
    }

    private static String expand(String path) {
        return path.replace("{E}", ESCAPED)
                .replace("{U}", UID)
                .replace("{I}", ID)
                .replace("{J}", INNER);
    }
}
