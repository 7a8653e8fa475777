package dev.exit137.cli.options;

import dev.exit137.aggregator.access.AccessConfig;
import dev.exit137.aggregator.access.TokenConfig;
import dev.exit137.daemon.tls.FlagFile;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The flags for the access to an aggregator: TLS, tokens, and the clients that may publish and read. */
public final class AccessOptions {
    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Option(names = "--tls-cert", paramLabel = "FILE", description = "Serve with TLS and this certificate (PEM).")
    private Optional<Path> certificate;

    @Option(names = "--tls-key", paramLabel = "FILE", description = "Private key of --tls-cert (PEM, PKCS#8).")
    private Optional<Path> key;

    @Option(
            names = "--tls-client-ca",
            paramLabel = "FILE",
            description = "Authenticate clients by certificates that these authorities have signed (PEM).")
    private Optional<Path> clientAuthorities;

    @Option(
            names = "--allow-publish",
            paramLabel = "NAME",
            split = ",",
            defaultValue = "node:*",
            description =
                    "Names of clients that may publish; a star at the end matches any ending. node:NAME may publish "
                            + "for that node only, any other name for all nodes (default: ${DEFAULT-VALUE}).")
    private List<String> mayPublish;

    @Option(
            names = "--allow-read",
            paramLabel = "NAME",
            split = ",",
            description =
                    "Names of clients that may read; a star at the end matches any ending (default: every client with "
                            + "a certificate of --tls-client-ca).")
    private List<String> mayRead;

    @Option(
            names = "--allow-sender",
            paramLabel = "NAME",
            split = ",",
            description =
                    "Names of the readers that may also read who sent a signal, which may be a person; a star at the end "
                            + "matches any ending (default: every reader).")
    private List<String> mayReadSender;

    @Option(
            names = "--token-jwks",
            paramLabel = "FILE|URL",
            description = "Authenticate clients by Kubernetes service account tokens that these keys have signed.")
    private Optional<String> jwks;

    @Option(
            names = "--token-jwks-ca",
            paramLabel = "FILE",
            description = "Authorities for the certificate of the --token-jwks URL (PEM; default: those of the JDK).")
    private Optional<Path> jwksAuthorities;

    @Option(names = "--token-jwks-bearer", paramLabel = "FILE", description = "Token to send to the --token-jwks URL.")
    private Optional<Path> jwksBearer;

    @Option(names = "--token-audience", paramLabel = "AUD", description = "Audience that a token must have.")
    private Optional<String> audience;

    @Option(names = "--token-issuer", paramLabel = "ISS", description = "Issuer that a token must have.")
    private Optional<String> issuer;

    @Option(
            names = "--token-service-account",
            paramLabel = "NAMESPACE:NAME",
            split = ",",
            description =
                    "Service accounts of agents. Their tokens also have the name node:NAME, for the node in the token.")
    private List<String> agents;

    /**
     * These flags as the aggregator's configuration.
     *
     * @throws ParameterException a setting breaks a rule
     */
    public AccessConfig config() {
        try {
            boolean anyToken = jwks.isPresent()
                    || jwksAuthorities.isPresent()
                    || jwksBearer.isPresent()
                    || audience.isPresent()
                    || issuer.isPresent()
                    || agents != null;
            TokenConfig tokens = anyToken
                    ? new TokenConfig(
                            jwks.orElse(""),
                            jwksAuthorities
                                    .map(path -> new FlagFile("--token-jwks-ca", path))
                                    .orElse(null),
                            jwksBearer
                                    .map(path -> new FlagFile("--token-jwks-bearer", path))
                                    .orElse(null),
                            audience.orElse(""),
                            issuer.orElse(""),
                            agents == null ? List.of() : agents)
                    : null;
            return new AccessConfig(
                    certificate.map(path -> new FlagFile("--tls-cert", path)).orElse(null),
                    key.map(path -> new FlagFile("--tls-key", path)).orElse(null),
                    clientAuthorities
                            .map(path -> new FlagFile("--tls-client-ca", path))
                            .orElse(null),
                    tokens,
                    mayPublish,
                    mayRead == null ? List.of() : mayRead,
                    mayReadSender == null ? List.of() : mayReadSender);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(command.commandLine(), e.getMessage(), e);
        }
    }
}
