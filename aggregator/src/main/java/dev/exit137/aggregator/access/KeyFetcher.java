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
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * Fetches the keys of a cluster. The API server publishes them at /openid/v1/jwks: its certificate is from the
 * cluster's own authority, and the token of any service account may read them.
 */
final class KeyFetcher extends DefaultResourceRetriever {
    private static final int TIMEOUT_MILLIS = 2_000;
    private static final int MAX_BYTES = 1 << 20;

    private final @Nullable Reloaded<String> bearer;

    KeyFetcher(@Nullable FlagFile authorities, @Nullable FlagFile bearer, InstantSource clock)
            throws UnusableFileException {
        super(TIMEOUT_MILLIS, TIMEOUT_MILLIS, MAX_BYTES, true, sockets(authorities, clock));
        this.bearer = bearer == null ? null : BearerToken.in(bearer);
    }

    /** Null for the authorities of the JDK. */
    private static @Nullable SSLSocketFactory sockets(@Nullable FlagFile authorities, InstantSource clock)
            throws UnusableFileException {
        return authorities == null ? null : Tls.sockets(authorities, clock);
    }

    @Override
    protected HttpURLConnection openHTTPConnection(URL url) throws IOException {
        HttpURLConnection connection = super.openHTTPConnection(url);
        if (bearer != null) {
            connection.setRequestProperty("Authorization", "Bearer " + bearer.get());
            // A redirect would send the token to another server.
            connection.setInstanceFollowRedirects(false);
        }
        return connection;
    }
}
