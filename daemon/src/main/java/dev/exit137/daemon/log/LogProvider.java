package dev.exit137.daemon.log;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.slf4j.ILoggerFactory;
import org.slf4j.IMarkerFactory;
import org.slf4j.Logger;
import org.slf4j.helpers.BasicMarkerFactory;
import org.slf4j.helpers.NOPMDCAdapter;
import org.slf4j.spi.MDCAdapter;
import org.slf4j.spi.SLF4JServiceProvider;

/**
 * The logging provider of slf4j 2.0, which finds it by {@link java.util.ServiceLoader} (the cli module's
 * META-INF/services), calls {@link #initialize} once, and gets every logger from it. All loggers write to the {@link
 * ProgramLog}. Markers and the MDC have no effect on the log. Safe for all threads.
 *
 * <p>The provider is ours because the log must never block its caller: {@link ProgramLog} has a bounded writer that
 * counts the lines it drops, while slf4j-simple writes to stderr on the calling thread and blocks when stderr does.
 */
public final class LogProvider implements SLF4JServiceProvider {
    private final ConcurrentMap<String, Logger> loggers = new ConcurrentHashMap<>();
    private final IMarkerFactory markers = new BasicMarkerFactory();
    private final MDCAdapter context = new NOPMDCAdapter();

    @Override
    public ILoggerFactory getLoggerFactory() {
        return name -> loggers.computeIfAbsent(name, ProgramLogger::new);
    }

    @Override
    public IMarkerFactory getMarkerFactory() {
        return markers;
    }

    @Override
    public MDCAdapter getMDCAdapter() {
        return context;
    }

    @Override
    public String getRequestedApiVersion() {
        return "2.0.99";
    }

    @Override
    public void initialize() {
        // The log exists before the first message.
    }
}
