package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class UsageTest {
    private final Session session = new Session();

    @ParameterizedTest
    @ValueSource(
            strings = {
                "run",
                "agent",
                "aggregator",
                "demo",
                "watch",
                "list",
                "why",
                "exits",
                "get",
                "nodes",
                "summary",
                "codes",
                "analyze"
            })
    void everySubcommandHasHelpAndAVersion(String subcommand) {
        assertThat(session.run(subcommand, "--help")).isZero();
        assertThat(session.out()).first().asString().startsWith("Usage: exit137 " + subcommand);
        assertThat(session.run(subcommand, "--version")).isZero();
        assertThat(session.out()).anyMatch(line -> line.matches("exit137 \\d+\\.\\d+\\.\\d+"));
        assertThat(session.err()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
      list --server nowhere         | 'nowhere' is not HOST:PORT                    | list
      list --server host:http       | port of 'host:http' must be a number          | list
      list --server host:0          | from 1 to 65535                               | list
      list --server ::1:9137        | [::1]:9137                                    | list
      aggregator --listen host:65536| from 0 to 65535                               | aggregator
      aggregator --node-retention 59s | --node-retention must be 1m or more, or off, and is 59000ms | aggregator
      aggregator --sender-retention 999ms | --sender-retention must be 1s or more, 0 for never, or off, and is 999ms | aggregator
      aggregator --peer-max-streams -1 | a peer's limit of streams is -1; it must be 1 or more, or 0 for none | aggregator
      agent --aggregator a:1,b      | 'b' is not HOST:PORT                          | agent
      aggregator --retention week   | 'week' is not a duration                      | aggregator
      aggregator --retention 0s     | --retention must be 1s or more, or off        | aggregator
      run --max-store-bytes 5       | '5' is not a size                             | run
      run --max-store-bytes 1MiB    | --max-store-bytes must be 8MiB or more        | run
      agent --spool-bytes 64MB      | '64MB' is not a size                          | agent
      run --spool-bytes 1MiB        | --spool-bytes must be at least 4MiB, and is 1048576 bytes | run
      agent --counter-grace 5       | '5' is not a duration                         | agent
      agent --counter-grace 2m      | --counter-grace must be between 10ms and 60s  | agent
      agent --http-listen nowhere   | 'nowhere' is not HOST:PORT                    | agent
      run --http-listen h:70000     | port of 'h:70000' must be a number from 0     | run
      run --metrics-max-series 0    | --metrics-max-series must be at least 1, and is 0 | run
      run --systemd-bus session     | --systemd-bus must be the path of a socket, auto or off, and is session | run
      list --since yesterday        | 'yesterday' is not a time                     | list
      list --scope memgc            | 'memgc' is not a scope                        | list
      list --limit 0                | --limit must be 1 or more, and is 0           | list
      list --limit many             | 'many' is not an int                          | list
      summary --by namespace,image  | 'image' is nothing to count by: give namespace| summary
      summary --by node,node        | 'node' is given twice                         | summary
      summary --by                  | '--by'                                        | summary
      summary --bucket 10           | '10' is not a duration                        | summary
      summary --bucket 999ms        | --bucket must be 1s or more                   | summary
      summary --limit 1001          | --limit must be 1 to 1000, and is 1001        | summary
      summary --kind all            | --kind must be one of oom and exit            | summary
      summary --by cause            | --by cause and --by code count ends: give --kind exit | summary
      summary --kind exit --scope global | --scope selects OOM kills                | summary
      exits --code 256              | --code must be a number from 0 to 255, and is 256 | exits
      exits --cause oomkill         | 'oomkill' is not a cause: give one or several | exits
      exits --scope global          | '--scope'                                     | exits
      watch --kind pressure         | pressure events are not there yet             | watch
      watch --kind oom,exits        | 'exits' is not a kind of events: give oom, exit or all | watch
      watch --kind exit --scope global | --scope selects OOM kills                  | watch
      watch --resume-token oom=a,b  | 'b' has no kind: give one token               | watch
      watch -o yaml                 | '--output'                                    | watch
      watch --sever a:1             | did you mean '--server'?                      | watch
      get                           | 'ID'                                          | get
      analyze -o yaml               | '--output'                                    | analyze
      analyze one two               | 'two'                                         | analyze
      """)
    void badUsageSaysWhatIsWrongAndWhereHelpIs(String line, String rule, String subcommand) {
        assertThat(session.run(line.split(" "))).isEqualTo(2);
        assertThat(session.err()).hasSize(2);
        assertThat(session.err().get(0)).startsWith("exit137: ").contains(rule);
        assertThat(session.err().get(1)).isEqualTo("exit137: see 'exit137 " + subcommand + " --help'");
    }

    @Test
    void aMissingSubcommandAndAMisspeltOneAreBadUsage() throws Exception {
        assertThat(session.run()).isEqualTo(2);
        assertThat(session.nextErrorLine()).contains("a subcommand is needed: run, agent");
        session.nextErrorLine();
        assertThat(session.run("wach")).isEqualTo(2);
        assertThat(session.nextErrorLine()).contains("'wach'").contains("did you mean 'watch'?");
    }

    @Test
    void aBadValueFromTheEnvironmentNamesItsVariable() {
        session.environment.put("EXIT137_SERVER", "nowhere");
        assertThat(session.run("list")).isEqualTo(2);
        assertThat(session.err()).first().asString().endsWith("(from the environment: EXIT137_SERVER)");
    }

    @Test
    void theCommandLineWinsOverTheEnvironmentAndAnEmptyVariableIsNone() {
        session.environment.put("EXIT137_SERVER", "127.0.0.1:1");
        session.environment.put("EXIT137_OUTPUT", "");
        session.environment.put("EXIT137_VERSION", "true");
        assertThat(session.run("list", "--server", "127.0.0.1:2")).isEqualTo(1);
        assertThat(session.err()).first().asString().contains("127.0.0.1:2");
    }

    @Test
    void anInvalidAddressOnTheCommandLineIsNotBlamedOnTheEnvironment() {
        session.environment.put("EXIT137_SERVER", "127.0.0.1:1");
        assertThat(session.run("list", "--server=nowhere")).isEqualTo(2);
        assertThat(session.err()).first().asString().doesNotContain("environment");
    }

    @Test
    void runWithABadSettingOfTheAgentLeavesNoStoreBehind(@TempDir Path directory) {
        Path data = directory.resolve("data");
        assertThat(session.run(
                        "run",
                        "--listen",
                        "127.0.0.1:0",
                        "--http-listen",
                        "127.0.0.1:0",
                        "--data-dir",
                        data.toString(),
                        "--counter-grace",
                        "5s",
                        "--spool-bytes",
                        "1MiB"))
                .isEqualTo(2);
        assertThat(data).doesNotExist();
    }

    @Test
    void aDataDirectoryThatIsAFileIsAFailureInOneLine(@TempDir Path directory) throws Exception {
        Path file = Files.createFile(directory.resolve("data"));
        assertThat(session.run("aggregator", "--listen", "127.0.0.1:0", "--data-dir", file.toString()))
                .isEqualTo(1);
        assertThat(session.err())
                .singleElement()
                .asString()
                .startsWith("exit137: ")
                .contains(file.toString());
    }
}
