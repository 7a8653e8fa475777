package dev.exit137.cli.options;

import dev.exit137.cli.client.HostPort;
import dev.exit137.daemon.tls.ClientSecurity;
import dev.exit137.daemon.tls.FlagFile;
import dev.exit137.daemon.tls.Tls;
import dev.exit137.daemon.tls.UnusableFileException;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The flags for a connection to an aggregator. */
public final class ConnectionOptions {
    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Option(
            names = "--tls-ca",
            paramLabel = "FILE",
            description =
                    "Connect with TLS. One of these authorities must have signed the aggregator's certificate (PEM).")
    private Optional<Path> authorities;

    @Option(names = "--tls-cert", paramLabel = "FILE", description = "Client certificate for the aggregator (PEM).")
    private Optional<Path> certificate;

    @Option(names = "--tls-key", paramLabel = "FILE", description = "Private key of --tls-cert (PEM, PKCS#8).")
    private Optional<Path> key;

    @Option(
            names = "--tls-server-name",
            paramLabel = "NAME",
            description =
                    "Name that the aggregator's certificate must have (default: the host name of the connection).")
    private Optional<String> serverName;

    @Option(
            names = "--token-file",
            paramLabel = "FILE",
            description =
                    "Kubernetes service account token for the aggregator. It is sent without TLS on the loopback only.")
    private Optional<Path> token;

    @Option(
            names = "--plaintext",
            description = "Connect without TLS, even on a network where others can read the " + "traffic.")
    private boolean plaintext;

    /**
     * TLS and tokens for connections to these servers.
     *
     * @param clock the wall clock
     * @throws ParameterException flags exclude or need each other, or a remote server needs TLS or --plaintext
     * @throws UnusableFileException one of the files cannot be used
     */
    public ClientSecurity security(List<HostPort> servers, InstantSource clock) throws UnusableFileException {
        check(certificate.isPresent() == key.isPresent(), "--tls-cert and --tls-key need each other: give both");
        if (authorities.isEmpty()) {
            check(
                    certificate.isEmpty() && serverName.isEmpty(),
                    "--tls-cert and --tls-server-name need TLS: give the authorities with --tls-ca");
            Optional<HostPort> remote =
                    servers.stream().filter(server -> !server.isLoopback()).findFirst();
            if (remote.isPresent()) {
                check(token.isEmpty(), "a token is not sent to " + remote.get() + " without TLS: give --tls-ca FILE");
                check(
                        plaintext,
                        remote.get() + " is not this machine, and others could listen in: give --tls-ca FILE for TLS,"
                                + " or --plaintext to go without");
            }
        } else {
            check(!plaintext, "--plaintext and --tls-ca exclude each other: give one");
        }
        return ClientSecurity.open(
                authorities.map(path -> new FlagFile("--tls-ca", path)).orElse(null),
                certificate
                        .map(path -> new Tls.ClientCertificate(
                                new FlagFile("--tls-cert", path), new FlagFile("--tls-key", key.orElseThrow())))
                        .orElse(null),
                serverName.orElse(null),
                token.map(path -> new FlagFile("--token-file", path)).orElse(null),
                clock);
    }

    private void check(boolean rule, String message) {
        if (!rule) {
            throw new ParameterException(command.commandLine(), message);
        }
    }
}
