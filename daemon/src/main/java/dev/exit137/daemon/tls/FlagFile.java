package dev.exit137.daemon.tls;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A file and the flag that names it, so that every error message contains both.
 *
 * @param flag such as --tls-cert
 */
public record FlagFile(String flag, Path path) {
    // A bundle of all public authorities takes a quarter of this size.
    private static final int MAX_BYTES = 1 << 20;

    /** Returns the whole file. Certificates, keys and tokens are ASCII. */
    public String read() throws UnusableFileException {
        try (InputStream in = Files.newInputStream(path)) {
            byte[] bytes = in.readNBytes(MAX_BYTES + 1);
            if (bytes.length > MAX_BYTES) {
                throw unusable("it is larger than " + MAX_BYTES + " bytes; give the right file", null);
            }
            return new String(bytes, StandardCharsets.ISO_8859_1);
        } catch (UnusableFileException e) {
            throw e;
        } catch (NoSuchFileException e) {
            throw unusable("there is no such file; give one that is there", e);
        } catch (AccessDeniedException e) {
            throw unusable("it may not be read; let the user of this process read it", e);
        } catch (IOException e) {
            throw unusable("it cannot be read (" + e.getMessage() + "); give a file", e);
        }
    }

    /**
     * Creates an exception for the caller to throw.
     *
     * @param why the fault and the remedy
     * @param cause may be null
     */
    public UnusableFileException unusable(String why, @Nullable Exception cause) {
        return new UnusableFileException(this + ": " + why, cause);
    }

    @Override
    public String toString() {
        return flag + " " + path;
    }
}
