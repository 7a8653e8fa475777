package dev.exit137.cli.options;

import dev.exit137.cli.client.AggregatorClient;
import dev.exit137.cli.client.HostPort;
import dev.exit137.daemon.tls.UnusableFileException;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The flags that select the aggregator of a client command. */
public final class ServerOptions {
    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            converter = HostPort.ToConnect.class,
            defaultValue = "127.0.0.1:9137",
            description = "Address of the aggregator (default: ${DEFAULT-VALUE}).")
    private HostPort server;

    @Mixin
    private ConnectionOptions connectionOptions;

    /**
     * A client of this aggregator; the caller closes it.
     *
     * @param clock the wall clock
     * @throws ParameterException flags exclude or need each other
     * @throws UnusableFileException a file of certificates, keys or tokens cannot be used
     */
    public AggregatorClient client(InstantSource clock) throws UnusableFileException {
        return new AggregatorClient(server, connectionOptions.security(List.of(server), clock));
    }

    /** The address of the aggregator. */
    public HostPort server() {
        return server;
    }

    /**
     * Whether a person named the aggregator, on the command line or in the environment.
     *
     * @param environment the environment variables
     */
    public boolean isNamed(Map<String, String> environment) {
        OptionSpec option = command.findOption("--server");
        return command.commandLine().getParseResult().hasMatchedOption(option)
                || EnvironmentDefaults.twin(option)
                        .map(environment::get)
                        .filter(value -> !value.isEmpty())
                        .isPresent();
    }
}
