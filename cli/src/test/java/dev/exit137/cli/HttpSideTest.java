package dev.exit137.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.BindException;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where a daemon answers probes, and what becomes of it where it cannot. */
class HttpSideTest {
    @TempDir
    Path directory;

    private final Session session = new Session();

    @Test
    void probesFindTheAggregatorWhereItSays() throws Exception {
        CompletableFuture<Integer> exit = start("--http-listen", "127.0.0.1:0");
        String line = lines(2).get(1);
        URI pages = URI.create(line.substring(line.indexOf("http://"), line.indexOf(" has ")));
        for (String page : List.of("/livez", "/readyz", "/metrics")) {
            assertThat(((HttpURLConnection) pages.resolve(page).toURL().openConnection()).getResponseCode())
                    .isEqualTo(200);
        }
        assertThat(end(exit)).isZero();
    }

    @Test
    void anAddressThatWasGivenAndIsTakenIsAFailureInOneLine() throws Exception {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            String address = "127.0.0.1:" + taken.getLocalPort();
            assertThat(session.run(arguments("--http-listen", address))).isEqualTo(1);
            assertThat(session.err())
                    .singleElement()
                    .asString()
                    .contains("cannot listen on " + address + " for HTTP", "in use", "--http-listen");
        }
    }

    /** Several agents on one machine: what the second one sees of kills matters more than its metrics. */
    @Test
    void whereTheUsualPortIsTakenTheDaemonSaysSoAndGoesOnWithout() throws Exception {
        try (ServerSocket _ = usualPort()) {
            CompletableFuture<Integer> exit = start();
            assertThat(lines(2).get(1)).contains("cannot listen on 127.0.0.1:9139 for HTTP", "going on without");
            assertThat(end(exit)).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"--http-listen=", "--http-listen=off"})
    void whoWantsNoneGetsNone(String flag) throws Exception {
        CompletableFuture<Integer> exit = start(flag);
        lines(1);
        assertThat(end(exit)).isZero();
        assertThat(session.err()).isEmpty();
    }

    /** Somebody has it then, whoever that is. */
    private static ServerSocket usualPort() throws IOException {
        try {
            return new ServerSocket(9139, 1, InetAddress.getByName("127.0.0.1"));
        } catch (BindException e) {
            return new ServerSocket();
        }
    }

    private CompletableFuture<Integer> start(String... flags) {
        return session.start(arguments(flags));
    }

    private String[] arguments(String... flags) {
        return Stream.concat(
                        Stream.of("aggregator", "--listen", "127.0.0.1:0", "--data-dir", directory.toString()),
                        Stream.of(flags))
                .toArray(String[]::new);
    }

    private List<String> lines(int count) throws InterruptedException {
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            lines.add(session.nextErrorLine());
        }
        return lines;
    }

    private int end(CompletableFuture<Integer> exit) {
        session.stop.request();
        return exit.join();
    }
}
