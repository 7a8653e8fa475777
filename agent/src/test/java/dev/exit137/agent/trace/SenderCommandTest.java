package dev.exit137.agent.trace;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** What of a command line leaves the node: by default only words that are known. */
class SenderCommandTest {
    private static final String SECRET = "hunter2";

    private static String known(String executable, String... arguments) {
        return new SenderCommand(false).of(executable, List.of(arguments));
    }

    private static String whole(String... arguments) {
        return new SenderCommand(true).of("/usr/bin/x", List.of(arguments));
    }

    @Test
    void anUnknownProgramIsItsNameAlone() {
        assertThat(known("/usr/bin/psql", "psql", "postgres://me:" + SECRET + "@host", "stop"))
                .isEqualTo("psql");
        assertThat(known("/usr/bin/bash", "bash", "-c", "kill -9 4711")).isEqualTo("bash");
        assertThat(known("/usr/bin/python3.11", "python3", "/srv/" + SECRET + ".py"))
                .isEqualTo("python3.11");
    }

    @Test
    void aKnownToolHasItsSubcommand() {
        assertThat(known("/usr/bin/docker", "docker", "-H", "tcp://" + SECRET, "stop", "-t", "3", SECRET))
                .isEqualTo("docker stop");
        assertThat(known("/usr/bin/docker", "docker", "container", "rm", "-f", SECRET))
                .isEqualTo("docker container rm");
        assertThat(known("/usr/bin/docker", "docker", "compose", "-p", "shop", "down"))
                .isEqualTo("docker compose");
        assertThat(known("/usr/bin/systemctl", "systemctl", "kill", "-s", "KILL", "nginx"))
                .isEqualTo("systemctl kill");
        assertThat(known("/usr/local/bin/kubectl", "kubectl", "--token=" + SECRET, "delete", "pod", "x"))
                .isEqualTo("kubectl delete");
        assertThat(known("/usr/bin/crictl", "crictl", "stopp", "abc")).isEqualTo("crictl stopp");
        assertThat(known("/usr/bin/ctr", "ctr", "-n", "k8s.io", "task", "kill", "-s", "9", "abc"))
                .isEqualTo("ctr task kill");
        assertThat(known("/usr/bin/runc", "runc", "--root", "/run/x", "kill", "--all", "abc", "9"))
                .isEqualTo("runc kill");
    }

    @Test
    void ofAKillOnlyTheSignalIsKept() {
        assertThat(known("/usr/bin/kill", "kill", "-9", "4711")).isEqualTo("kill -9");
        assertThat(known("/usr/bin/kill", "kill", "-s", "KILL", "4711")).isEqualTo("kill -s KILL");
        assertThat(known("/usr/bin/kill", "kill", "4711")).isEqualTo("kill");
        assertThat(known("/usr/bin/pkill", "pkill", "-KILL", "-f", SECRET)).isEqualTo("pkill -KILL");
        assertThat(known("/usr/bin/pkill", "pkill", "-f", "--signal", "SIGKILL", SECRET))
                .isEqualTo("pkill --signal SIGKILL");
        assertThat(known("/usr/bin/pkill", "pkill", "-f", SECRET)).isEqualTo("pkill");
        assertThat(known("/usr/bin/killall", "killall", "-s9", SECRET)).isEqualTo("killall -s9");
        assertThat(known("/usr/bin/timeout", "timeout", "--signal=KILL", "5", SECRET))
                .isEqualTo("timeout --signal=KILL");
    }

    @Test
    void theExecutableSaysWhatAProcessCannotChoose() {
        assertThat(known("/usr/bin/bash", "runc", "kill")).isEqualTo("bash");
        assertThat(known("/usr/bin/nginx", "nginx: " + SECRET)).isEqualTo("nginx");
        assertThat(known("/bin/busybox", "kill", "-9", "1")).isEqualTo("kill -9");
        assertThat(known("/memfd:runc_cloned:/proc/self/exe", "runc", "kill", "abc"))
                .isEqualTo("runc kill");
        assertThat(known("", "-bash")).isEqualTo("bash");
        assertThat(known("", "/usr/bin/postgres: " + SECRET)).isEqualTo("postgres");
        assertThat(known("/usr/lib/systemd/systemd")).isEqualTo("systemd");
        assertThat(known("")).isEmpty();
    }

    @Test
    void theWholeLineHasNoValuesOfSecrets() {
        assertThat(whole("kill", "-9", "4711")).isEqualTo("kill -9 4711");
        assertThat(whole("x", "--token", SECRET, "y")).isEqualTo("x --token *** y");
        assertThat(whole("x", "--api-KEY=" + SECRET, "y")).isEqualTo("x --api-KEY=*** y");
        assertThat(whole("x", "DB_PASSWORD=" + SECRET, "y")).isEqualTo("x DB_PASSWORD=*** y");
        assertThat(whole("x", "--set", "auth.password=" + SECRET)).isEqualTo("x --set auth.password=***");
        assertThat(whole("curl", "-H", "X-Auth-Token: " + SECRET)).isEqualTo("curl -H X-Auth-Token: ***");
        assertThat(whole("sh", "-c", "mysql --password " + SECRET + " -e x")).isEqualTo("sh -c mysql --password ***");
        assertThat(whole("curl", "https://host/?secret=" + SECRET)).isEqualTo("curl https://host/?secret=***");
        assertThat(whole("mysqladmin", "password", SECRET)).isEqualTo("mysqladmin password ***");
        assertThat(whole("x", "--passwd", "--" + SECRET)).isEqualTo("x --passwd ***");
    }

    @Test
    void theWholeLineIsBoundedAtAWholeCharacter() {
        String line = whole("x", "é".repeat(SenderCommand.MAX_BYTES));
        assertThat(line.getBytes(UTF_8)).hasSize(SenderCommand.MAX_BYTES);
        assertThat(whole("xy", "é".repeat(SenderCommand.MAX_BYTES)).getBytes(UTF_8))
                .hasSize(SenderCommand.MAX_BYTES - 1);
    }

    @Test
    void aProcessWithoutArgumentsIsItsExecutable() {
        assertThat(new SenderCommand(true).of("/usr/bin/x", List.of())).isEqualTo("x");
    }
}
