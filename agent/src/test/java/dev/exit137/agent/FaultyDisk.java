package dev.exit137.agent;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessMode;
import java.nio.file.CopyOption;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.nio.file.WatchService;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileAttributeView;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.nio.file.spi.FileSystemProvider;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;

/** The machine's file system, of which each operation on some paths throws what a test says. Any thread. */
public final class FaultyDisk extends FileSystemProvider {
    private static final FileSystem REAL = FileSystems.getDefault();

    private record Fault(Predicate<String> paths, Supplier<? extends Throwable> thrown) {}

    private final FileSystem wrapped = new Wrapped();
    private volatile Fault fault = new Fault(path -> false, IllegalStateException::new);

    /** The same file, through this. */
    public Path path(Path real) {
        return (Path) Proxy.newProxyInstance(
                FaultyDisk.class.getClassLoader(), new Class<?>[] {Path.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("getFileSystem")) {
                        return wrapped;
                    }
                    Object[] unwrapped = arguments == null ? null : arguments.clone();
                    for (int i = 0; unwrapped != null && i < unwrapped.length; i++) {
                        unwrapped[i] = unwrapped[i] instanceof Path path ? real(path) : unwrapped[i];
                    }
                    try {
                        Object result = method.invoke(real, unwrapped);
                        return result instanceof Path path ? path(path) : result;
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private static Path real(Path path) {
        return path.getFileSystem() == REAL ? path : REAL.getPath(path.toString());
    }

    /** From now on each operation on such a path throws. */
    public void fail(Predicate<String> paths, Supplier<? extends Throwable> thrown) {
        fault = new Fault(paths, thrown);
    }

    public void mend() {
        fault = new Fault(path -> false, IllegalStateException::new);
    }

    private Path checked(Path path) {
        Fault now = fault;
        if (now.paths().test(path.toString())) {
            FaultyDisk.<RuntimeException>sneak(now.thrown().get());
        }
        return real(path);
    }

    @SuppressWarnings("unchecked")
    private static <E extends Throwable> void sneak(Throwable thrown) throws E {
        throw (E) thrown;
    }

    @Override
    public String getScheme() {
        return "faulty";
    }

    @Override
    public FileSystem newFileSystem(URI uri, Map<String, ?> environment) {
        throw new UnsupportedOperationException();
    }

    @Override
    public FileSystem getFileSystem(URI uri) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Path getPath(URI uri) {
        throw new UnsupportedOperationException();
    }

    @Override
    public FileChannel newFileChannel(Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
            throws IOException {
        return REAL.provider().newFileChannel(checked(path), options, attributes);
    }

    @Override
    public SeekableByteChannel newByteChannel(
            Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes) throws IOException {
        return REAL.provider().newByteChannel(checked(path), options, attributes);
    }

    @Override
    public DirectoryStream<Path> newDirectoryStream(Path directory, DirectoryStream.Filter<? super Path> filter)
            throws IOException {
        DirectoryStream<Path> entries = REAL.provider().newDirectoryStream(checked(directory), filter);
        return new DirectoryStream<>() {
            @Override
            public Iterator<Path> iterator() {
                Iterator<Path> real = entries.iterator();
                return new Iterator<>() {
                    @Override
                    public boolean hasNext() {
                        return real.hasNext();
                    }

                    @Override
                    public Path next() {
                        return path(real.next());
                    }
                };
            }

            @Override
            public void close() throws IOException {
                entries.close();
            }
        };
    }

    @Override
    public void createDirectory(Path directory, FileAttribute<?>... attributes) throws IOException {
        REAL.provider().createDirectory(checked(directory), attributes);
    }

    @Override
    public void delete(Path path) throws IOException {
        REAL.provider().delete(checked(path));
    }

    @Override
    public void copy(Path source, Path target, CopyOption... options) throws IOException {
        REAL.provider().copy(checked(source), checked(target), options);
    }

    @Override
    public void move(Path source, Path target, CopyOption... options) throws IOException {
        REAL.provider().move(checked(source), checked(target), options);
    }

    @Override
    public boolean isSameFile(Path path, Path other) throws IOException {
        return REAL.provider().isSameFile(checked(path), checked(other));
    }

    @Override
    public boolean isHidden(Path path) throws IOException {
        return REAL.provider().isHidden(checked(path));
    }

    @Override
    public FileStore getFileStore(Path path) throws IOException {
        return REAL.provider().getFileStore(checked(path));
    }

    @Override
    public void checkAccess(Path path, AccessMode... modes) throws IOException {
        REAL.provider().checkAccess(checked(path), modes);
    }

    @Override
    public <V extends FileAttributeView> V getFileAttributeView(Path path, Class<V> type, LinkOption... options) {
        return REAL.provider().getFileAttributeView(checked(path), type, options);
    }

    @Override
    public <A extends BasicFileAttributes> A readAttributes(Path path, Class<A> type, LinkOption... options)
            throws IOException {
        return REAL.provider().readAttributes(checked(path), type, options);
    }

    @Override
    public Map<String, Object> readAttributes(Path path, String attributes, LinkOption... options) throws IOException {
        return REAL.provider().readAttributes(checked(path), attributes, options);
    }

    @Override
    public void setAttribute(Path path, String attribute, Object value, LinkOption... options) throws IOException {
        REAL.provider().setAttribute(checked(path), attribute, value, options);
    }

    private final class Wrapped extends FileSystem {
        @Override
        public FileSystemProvider provider() {
            return FaultyDisk.this;
        }

        @Override
        public void close() {
            throw new UnsupportedOperationException();
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public boolean isReadOnly() {
            return REAL.isReadOnly();
        }

        @Override
        public String getSeparator() {
            return REAL.getSeparator();
        }

        @Override
        public Iterable<Path> getRootDirectories() {
            return REAL.getRootDirectories();
        }

        @Override
        public Iterable<FileStore> getFileStores() {
            return REAL.getFileStores();
        }

        @Override
        public Set<String> supportedFileAttributeViews() {
            return REAL.supportedFileAttributeViews();
        }

        @Override
        public Path getPath(String first, String... more) {
            return path(REAL.getPath(first, more));
        }

        @Override
        public PathMatcher getPathMatcher(String pattern) {
            return REAL.getPathMatcher(pattern);
        }

        @Override
        public UserPrincipalLookupService getUserPrincipalLookupService() {
            return REAL.getUserPrincipalLookupService();
        }

        @Override
        public WatchService newWatchService() throws IOException {
            return REAL.newWatchService();
        }
    }
}
