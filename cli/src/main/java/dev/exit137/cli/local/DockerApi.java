package dev.exit137.cli.local;

import java.io.IOException;
import java.util.Optional;

/** Docker Engine's API, for reading. */
public interface DockerApi {
    /**
     * The body of the answer to a GET.
     *
     * @return empty for 404
     * @throws IOException Docker cannot be reached, or refuses; the message says it to a person
     */
    Optional<String> get(String path) throws IOException;
}
