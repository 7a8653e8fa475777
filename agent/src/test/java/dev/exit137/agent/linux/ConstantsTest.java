package dev.exit137.agent.linux;

import static org.assertj.core.api.Assertions.assertThat;

import jnr.constants.platform.Errno;
import jnr.constants.platform.OpenFlags;
import org.junit.jupiter.api.Test;

/** The agent's own constants, which cost its start no enum, are those of jnr-constants for this machine. */
class ConstantsTest {
    @Test
    void flagsOfOpen() {
        assertThat(Sys.O_RDONLY).isEqualTo(OpenFlags.O_RDONLY.intValue());
        assertThat(Sys.O_NONBLOCK).isEqualTo(OpenFlags.O_NONBLOCK.intValue());
        assertThat(Sys.O_CLOEXEC).isEqualTo(OpenFlags.O_CLOEXEC.intValue());
        assertThat(Sys.O_DIRECTORY).isEqualTo(OpenFlags.O_DIRECTORY.intValue());
    }

    @Test
    void errnos() {
        assertThat(Sys.ENOENT).isEqualTo(Errno.ENOENT.intValue());
        assertThat(Sys.EBADF).isEqualTo(Errno.EBADF.intValue());
        assertThat(Sys.EAGAIN).isEqualTo(Errno.EAGAIN.intValue());
        assertThat(Sys.ENODEV).isEqualTo(Errno.ENODEV.intValue());
        assertThat(Sys.EINVAL).isEqualTo(Errno.EINVAL.intValue());
        assertThat(Sys.EPIPE).isEqualTo(Errno.EPIPE.intValue());
    }
}
