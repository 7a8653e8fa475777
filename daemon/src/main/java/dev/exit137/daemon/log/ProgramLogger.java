package dev.exit137.daemon.log;

import org.jspecify.annotations.Nullable;
import org.slf4j.Marker;
import org.slf4j.event.Level;
import org.slf4j.helpers.LegacyAbstractLogger;

/** A logger of slf4j that writes to the {@link ProgramLog}. */
final class ProgramLogger extends LegacyAbstractLogger {
    private static final long serialVersionUID = 1;

    ProgramLogger(String name) {
        this.name = name;
    }

    @Override
    public boolean isTraceEnabled() {
        return ProgramLog.isEnabled(name, Level.TRACE);
    }

    @Override
    public boolean isDebugEnabled() {
        return ProgramLog.isEnabled(name, Level.DEBUG);
    }

    @Override
    public boolean isInfoEnabled() {
        return ProgramLog.isEnabled(name, Level.INFO);
    }

    @Override
    public boolean isWarnEnabled() {
        return ProgramLog.isEnabled(name, Level.WARN);
    }

    @Override
    public boolean isErrorEnabled() {
        return ProgramLog.isEnabled(name, Level.ERROR);
    }

    @Override
    protected @Nullable String getFullyQualifiedCallerName() {
        return null;
    }

    @Override
    protected void handleNormalizedLoggingCall(
            Level level, Marker marker, String pattern, Object[] arguments, @Nullable Throwable thrown) {
        ProgramLog.ofProcess().add(level, name, pattern, arguments, thrown);
    }
}
