package dev.exit137.cli.commands;

import com.google.protobuf.MessageOrBuilder;
import dev.exit137.cli.client.EventStream;
import dev.exit137.cli.terminal.Terminal;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/** Streams of events of several kinds, printed beside each other. */
final class Streams {
    /** Prints one stream until the terminal's stop signal. */
    @FunctionalInterface
    interface Printing {
        void printAll(EventStream<? extends MessageOrBuilder> stream) throws Exception;
    }

    private Streams() {}

    /** Prints each stream in a thread of its own. The end of one of them is the end of all. */
    static void printAll(
            Collection<EventStream<? extends MessageOrBuilder>> streams, Terminal terminal, Printing printing)
            throws Exception {
        List<FutureTask<Void>> tasks = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (EventStream<? extends MessageOrBuilder> stream : streams) {
            FutureTask<Void> task = new FutureTask<>(() -> {
                try {
                    printing.printAll(stream);
                } finally {
                    terminal.stop().request();
                }
                return null;
            });
            tasks.add(task);
            threads.add(Thread.ofPlatform().name("exit137-watch").daemon().start(task));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        for (FutureTask<Void> task : tasks) {
            try {
                task.get();
            } catch (ExecutionException e) {
                throw e.getCause() instanceof Exception cause ? cause : e;
            }
        }
    }
}
