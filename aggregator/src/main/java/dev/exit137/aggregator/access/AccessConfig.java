package dev.exit137.aggregator.access;

import dev.exit137.daemon.tls.FlagFile;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The security settings of an aggregator, checked here once. With none set, the aggregator speaks plaintext, and every
 * client that reaches it may publish and read.
 *
 * @param certificate of the aggregator, PEM, the authorities between after it; with it, only TLS is spoken; null for
 *     none
 * @param key of that certificate, PEM, PKCS#8; null for none
 * @param clientAuthorities vouch for the certificates of clients, PEM; needs TLS; null for none
 * @param tokens which tokens of service accounts are taken; null for none
 * @param mayPublish names of callers that may publish; a star at the end stands for the rest. {@code node:NAME} may
 *     publish for node NAME alone, another one for all nodes
 * @param mayRead names of callers that may read; when empty, whoever has a good certificate may
 * @param mayReadSender names of the readers that may also read who sent a signal; when empty, all of them may
 */
public record AccessConfig(
        @Nullable FlagFile certificate,
        @Nullable FlagFile key,
        @Nullable FlagFile clientAuthorities,
        @Nullable TokenConfig tokens,
        List<String> mayPublish,
        List<String> mayRead,
        List<String> mayReadSender) {
    /** Agents, each for its own node. */
    public static final List<String> DEFAULT_MAY_PUBLISH = List.of("node:*");

    /** Plaintext; every caller may publish and read. */
    public static final AccessConfig OPEN =
            new AccessConfig(null, null, null, null, DEFAULT_MAY_PUBLISH, List.of(), List.of());

    /** @throws IllegalArgumentException names the setting and the rule */
    public AccessConfig {
        mayPublish = List.copyOf(mayPublish);
        mayRead = List.copyOf(mayRead);
        mayReadSender = List.copyOf(mayReadSender);
        if ((certificate == null) != (key == null)) {
            throw new IllegalArgumentException("--tls-cert and --tls-key need each other: give both");
        }
        if (clientAuthorities != null && certificate == null) {
            throw new IllegalArgumentException("--tls-client-ca needs TLS: give --tls-cert and --tls-key");
        }
        boolean knowsCallers = clientAuthorities != null || tokens != null;
        boolean open = mayRead.isEmpty() && mayReadSender.isEmpty() && mayPublish.equals(DEFAULT_MAY_PUBLISH);
        if (!knowsCallers && !open) {
            throw new IllegalArgumentException(
                    "--allow-publish, --allow-read and --allow-sender need to know who calls:"
                            + " give --tls-client-ca or --token-jwks");
        }
        for (String name : mayPublish) {
            checkName("--allow-publish", name);
        }
        for (String name : mayRead) {
            checkName("--allow-read", name);
        }
        for (String name : mayReadSender) {
            checkName("--allow-sender", name);
        }
    }

    /** Whether callers must authenticate. */
    public boolean knowsCallers() {
        return clientAuthorities != null || tokens != null;
    }

    private static void checkName(String flag, String name) {
        int star = name.indexOf('*');
        if (name.isBlank() || (star >= 0 && star < name.length() - 1)) {
            throw new IllegalArgumentException("'" + name + "' of " + flag
                    + " is no name of a caller: give one like node:worker-1, or a beginning like node:*");
        }
    }
}
