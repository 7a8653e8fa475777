package dev.exit137.nativetest;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.Timestamp;
import dev.exit137.nativetest.Pods.Container;
import dev.exit137.proto.v1.OomEventsGrpc;
import dev.exit137.proto.v1.OomKillEvent;
import dev.exit137.proto.v1.OomKillEvent.Evidence;
import dev.exit137.proto.v1.WatchEventsRequest;
import dev.exit137.proto.v1.WatchEventsResponse;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The image, built from the Dockerfile by buildah and run by containerd and runc with the settings of k8s/base. */
@Tag("kernel")
@Timeout(value = 40, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ImageTest {
    private static final String IMAGE = "docker.io/library/exit137:0.1.0";
    private static final Path BUILD = Bed.MODULE.resolve("src/main/image/build.sh");
    private static final Duration BUILD_LIMIT = Duration.ofMinutes(20);
    private static final Duration LIMIT = Duration.ofMinutes(3);
    private static final Path MANIFESTS = Bed.REPOSITORY.resolve("k8s/base");
    private static final int NON_ROOT = 65532;
    private static final String OPTIONS = "JDK_JAVA_OPTIONS";
    /** A JVM that cannot use the cache ends, instead of running without it. */
    private static final String THE_CACHE_IS_USED = " -XX:AOTMode=on";

    private static final long VICTIMS_LIMIT_BYTES = 16L << 20;

    private static Path out;
    private static JsonObject settings;
    private static Containerd containerd;
    private static Pods pods;

    @BeforeAll
    static void buildAndImport() {
        ContainersTest.skipWhereContainerdCannotRun("the image");
        if (Bed.find("buildah").isEmpty()) {
            Bed.skip("the image", "no buildah on PATH; on Debian: apt-get install buildah");
        }
        out = Bed.freshDirectory("image");
        try {
            Path archive = out.resolve("exit137.tar");
            Bed.Finished built = Bed.run(
                    out,
                    "build",
                    BUILD_LIMIT,
                    new ProcessBuilder(BUILD.toString(), Bed.REPOSITORY.toString(), archive.toString()));
            assertThat(built.status()).as(built.errText()).isZero();
            settings = settings(archive);
            containerd = Containerd.start(out);
            containerd.importImages(archive);
            Files.delete(archive);
            pods = new Pods(
                    containerd,
                    ContainersTest.MEMORY,
                    "/exit137-image-" + ProcessHandle.current().pid());
        } catch (IOException e) {
            end();
            throw new UncheckedIOException(e);
        } catch (RuntimeException | AssertionError e) {
            end();
            throw e;
        }
    }

    private static JsonObject settings(Path archive) {
        String file = json(archive, "manifest.json")
                .getAsJsonArray()
                .get(0)
                .getAsJsonObject()
                .get("Config")
                .getAsString();
        return json(archive, file).getAsJsonObject().getAsJsonObject("config");
    }

    private static JsonElement json(Path archive, String file) {
        Bed.Finished tar = Bed.run(out, "tar", LIMIT, new ProcessBuilder("tar", "-xOf", archive.toString(), file));
        return JsonParser.parseString(String.join("", tar.outLines()));
    }

    @AfterAll
    static void end() {
        Bed.close(pods, containerd);
    }

    @Test
    void agentInTheImageCatchesAKillAndTheAggregatorInItStreamsTheEvent() throws Exception {
        String address = "127.0.0.1:" + freePort();
        Container aggregator = aggregator(address);
        awaitLog(aggregator, "aggregator listens on");
        Container agent = agent(address);
        awaitLog(agent, "agent watches node");

        // The cgroup outlives the kill: the counters can be read later.
        Container app = pods.start(pods.make("cart"), "app", VICTIMS_LIMIT_BYTES, Pods.ITS_CHILD_EATS);
        app.open();

        OomKillEvent event = awaitEvent(address, app);
        assertThat(event.getRecovered()).isFalse();
        assertThat(event.getNode().getName()).isEqualTo("bed");
        assertThat(event.getVictim().getComm()).isEqualTo("tail");
        assertThat(event.getVictim().getIsContainerInit()).isFalse();
        assertThat(event.getIncident().getLimit().getLimitBytes()).isEqualTo(VICTIMS_LIMIT_BYTES);
        assertThat(event.getContainer().getPod().getName()).isEqualTo("cart");
        assertThat(event.getContainer().getName()).isEqualTo("app");
        assertThat(event.getEvidenceList())
                .contains(Evidence.KMSG_KILLED, Evidence.KMSG_SUMMARY, Evidence.MEMORY_EVENTS, Evidence.CRI);
        for (Container daemon : List.of(aggregator, agent)) {
            assertThat(log(daemon)).noneMatch(line -> line.contains("[aot]") || line.contains("temporary directory"));
        }
    }

    @Test
    void imageIsNotRootUnlessItIsTold() {
        assertThat(settings.get("User").getAsString()).isEqualTo("65532:65532");
    }

    @Test
    void imageSaysWhichVersionItIs() {
        assertThat(settings.getAsJsonObject("Labels")
                        .get("org.opencontainers.image.version")
                        .getAsString())
                .isEqualTo(System.getProperty("project.version"));
    }

    private static Container aggregator(String address) throws IOException {
        ManifestContainer manifest = new ManifestContainer(MANIFESTS.resolve("aggregator.yaml"));
        Path data = containerd.directory("data");
        Files.setAttribute(data, "unix:uid", NON_ROOT);
        return pods.launch(
                pods.make("exit137-aggregator"),
                manifest.config(
                        IMAGE,
                        Map.of(
                                "EXIT137_LISTEN",
                                address,
                                "EXIT137_HTTP_LISTEN",
                                "127.0.0.1:0",
                                OPTIONS,
                                manifest.variable(OPTIONS) + THE_CACHE_IS_USED),
                        Map.of("data", data)));
    }

    private static Container agent(String aggregator) throws IOException {
        ManifestContainer manifest = new ManifestContainer(MANIFESTS.resolve("agent.yaml"));
        return pods.launch(
                pods.makePrivileged("exit137-agent"),
                manifest.config(
                        IMAGE,
                        Map.of(
                                "EXIT137_NODE_NAME",
                                "bed",
                                "EXIT137_AGGREGATOR",
                                aggregator,
                                "EXIT137_HTTP_LISTEN",
                                "127.0.0.1:0",
                                OPTIONS,
                                manifest.variable(OPTIONS) + THE_CACHE_IS_USED),
                        Map.of(
                                "state",
                                containerd.directory("state"),
                                "containerd",
                                containerd.socket().getParent())));
    }

    private static OomKillEvent awaitEvent(String aggregator, Container victim) {
        ManagedChannel channel = Grpc.newChannelBuilder(aggregator, InsecureChannelCredentials.create())
                .build();
        try {
            Iterator<WatchEventsResponse> stream = OomEventsGrpc.newBlockingStub(channel)
                    .withDeadlineAfter(LIMIT.toSeconds(), TimeUnit.SECONDS)
                    .watchEvents(WatchEventsRequest.newBuilder()
                            .setFromTime(Timestamp.getDefaultInstance())
                            .build());
            while (true) {
                OomKillEvent event = stream.next().getEvent();
                if (event.getCgroupPath().equals(victim.cgroup())
                        && event.getEvidenceList().contains(Evidence.CRI)) {
                    return event;
                }
            }
        } finally {
            channel.shutdownNow();
        }
    }

    private static void awaitLog(Container container, String words) {
        Bed.await(words, LIMIT, () -> log(container), lines -> lines.stream().anyMatch(line -> line.contains(words)));
    }

    private static List<String> log(Container container) {
        return Bed.lines(container.pod().gate().resolveSibling(container.name() + ".log"));
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
