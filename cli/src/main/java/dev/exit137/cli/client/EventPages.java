package dev.exit137.cli.client;

import dev.exit137.cli.terminal.Failure;
import dev.exit137.cli.terminal.OutputClosedException;
import java.util.List;

/** Reads a list that an aggregator sends in pages. */
public final class EventPages {
    private static final int MAX_PAGE_SIZE = 200;

    private EventPages() {}

    /**
     * One page.
     *
     * @param nextToken empty on the last page
     */
    public record Page<E>(List<E> events, String nextToken) {}

    /** Asks for a page. */
    public interface Asking<E> {
        /** The page of at most this size that has this token. */
        Page<E> page(int size, String token) throws Failure;
    }

    /** Takes the events, one by one. */
    public interface Taking<E> {
        /** The next event of the list. */
        void take(E event) throws OutputClosedException;
    }

    /**
     * What was read.
     *
     * @param more whether the list goes on
     */
    public record Read(int events, boolean more) {}

    /**
     * Reads from the start of the list.
     *
     * @param limit largest number of events, above 0
     */
    public static <E> Read read(int limit, Asking<E> asking, Taking<E> taking) throws Failure, OutputClosedException {
        int left = limit;
        String token = "";
        do {
            Page<E> page = asking.page(Math.min(left, MAX_PAGE_SIZE), token);
            for (E event : page.events()) {
                taking.take(event);
            }
            left -= page.events().size();
            token = page.nextToken();
        } while (left > 0 && !token.isEmpty());
        return new Read(limit - left, !token.isEmpty());
    }
}
