package dev.exit137.agent.linux;

/**
 * A file descriptor, or the reason why there is none. It is closed once: after that its number may belong to another
 * file. Confined to one thread. A descriptor that lives only within a method stays an int there: the read path allocates
 * nothing.
 */
public final class Descriptor implements AutoCloseable {
    private int number;

    /** @param number the result of a call of {@link Sys}: a descriptor, or -errno */
    public Descriptor(int number) {
        this.number = number;
    }

    /** The number for a call of {@link Sys}; -errno if it could not be opened, -EBADF after it is closed. */
    public int number() {
        return number;
    }

    /** Whether it is open. */
    public boolean isOpen() {
        return number >= 0;
    }

    @Override
    public void close() {
        int open = number;
        if (isOpen()) {
            number = -Sys.EBADF;
            Sys.close(open);
        }
    }
}
