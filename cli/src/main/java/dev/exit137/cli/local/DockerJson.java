package dev.exit137.cli.local;

import com.google.gson.annotations.SerializedName;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The parts of Docker Engine's answers that are used; gson skips all others. */
final class DockerJson {
    private DockerJson() {}

    /** Of {@code GET /containers/json}. */
    record Listed(
            @SerializedName("Id") @Nullable String id,
            @SerializedName("Names") @Nullable List<String> names) {}

    /** Of {@code GET /containers/ID/json}. */
    record Inspected(
            @SerializedName("Id") @Nullable String id,
            @SerializedName("Name") @Nullable String name,
            @SerializedName("Path") @Nullable String path,
            @SerializedName("LogPath") @Nullable String logPath,
            @SerializedName("RestartCount") int restartCount,
            @SerializedName("State") @Nullable State state,
            @SerializedName("Config") @Nullable Config config,
            @SerializedName("HostConfig") @Nullable HostConfig hostConfig) {}

    /** Of {@code GET /info}. */
    record Info(@SerializedName("DockerRootDir") @Nullable String rootDirectory) {}

    /** The present life, or the last one. */
    record State(
            @SerializedName("Running") boolean running,
            @SerializedName("OOMKilled") boolean oomKilled,
            @SerializedName("ExitCode") int exitCode,
            @SerializedName("Pid") int pid,
            @SerializedName("Error") @Nullable String error,
            @SerializedName("StartedAt") @Nullable String startedAt,
            @SerializedName("FinishedAt") @Nullable String finishedAt) {}

    record Config(
            @SerializedName("Image") @Nullable String image,
            @SerializedName("StopTimeout") @Nullable Integer stopTimeout,
            @SerializedName("Labels") @Nullable Map<String, String> labels) {}

    /** @param memory bytes; 0 for no limit */
    record HostConfig(
            @SerializedName("Memory") long memory,
            @SerializedName("MemorySwap") long memorySwap,
            @SerializedName("OomKillDisable") @Nullable Boolean oomKillDisable,
            @SerializedName("OomScoreAdj") int oomScoreAdj,
            @SerializedName("RestartPolicy") @Nullable RestartPolicy restartPolicy) {}

    record RestartPolicy(
            @SerializedName("Name") @Nullable String name,
            @SerializedName("MaximumRetryCount") int maximumRetryCount) {}

    /** A line of {@code GET /events}. */
    record Event(
            @SerializedName("Action") @Nullable String action,
            @SerializedName("Actor") @Nullable Actor actor,
            @SerializedName("timeNano") long timeNano) {}

    record Actor(
            @SerializedName("ID") @Nullable String id,
            @SerializedName("Attributes") @Nullable Map<String, String> attributes) {}
}
