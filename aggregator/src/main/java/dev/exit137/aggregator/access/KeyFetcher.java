package dev.exit137.aggregator.access;

import com.nimbusds.jose.util.DefaultResourceRetriever;
import dev.exit137.daemon.tls.BearerToken;
import dev.exit137.daemon.tls.FlagFile;
import dev.exit137.daemon.tls.Reloaded;
import dev.exit137.daemon.tls.Tls;
import dev.exit137.daemon.tls.UnusableFileException;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URL;
import java.time.InstantSource;
import java.util.Optional;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * Fetches the keys of a cluster. The API server publishes them at /openid/v1/jwks: its certificate is from the
 * cluster's own authority, and the token of any service account may read them.
 */
final class KeyFetcher extends DefaultResourceRetriever {
  private static final int TIMEOUT_MILLIS = 2_000;
  private static final int MAX_BYTES = 1 << 20;

  private final Optional<Reloaded<String>> bearer;

  KeyFetcher(Optional<FlagFile> authorities, Optional<FlagFile> bearer, InstantSource clock)
      throws UnusableFileException {
    super(TIMEOUT_MILLIS, TIMEOUT_MILLIS, MAX_BYTES, true, sockets(authorities, clock));
    this.bearer = bearer.isPresent() ? Optional.of(BearerToken.in(bearer.get())) : Optional.empty();
  }

  /** Null for the authorities of the JDK. */
  private static @Nullable SSLSocketFactory sockets(Optional<FlagFile> authorities, InstantSource clock)
      throws UnusableFileException {
    return authorities.isPresent() ? Tls.sockets(authorities.get(), clock) : null;
  }

  @Override
  protected HttpURLConnection openHTTPConnection(URL url) throws IOException {
    HttpURLConnection connection = super.openHTTPConnection(url);
    bearer.ifPresent(token -> {
      connection.setRequestProperty("Authorization", "Bearer " + token.get());
      // A redirect would send the token to another server.
      connection.setInstanceFollowRedirects(false);
    });
    return connection;
  }
}
