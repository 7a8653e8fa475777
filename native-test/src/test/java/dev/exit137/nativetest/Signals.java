package dev.exit137.nativetest;

import jnr.constants.platform.Signal;
import jnr.posix.POSIX;
import jnr.posix.POSIXFactory;

/** kill(2). */
final class Signals {
    private static final POSIX POSIX = POSIXFactory.getPOSIX();

    private Signals() {}

    /** Sends the signal to all children of the process: {@code timeout} has the program as its only one. */
    static void toChildrenOf(Process process, Signal signal) {
        process.children().forEach(child -> {
            if (POSIX.kill(child.pid(), signal.intValue()) != 0) {
                throw new IllegalStateException("kill(" + child.pid() + ", " + signal + "): errno " + POSIX.errno());
            }
        });
    }
}
