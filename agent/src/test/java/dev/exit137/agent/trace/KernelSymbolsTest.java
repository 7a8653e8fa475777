package dev.exit137.agent.trace;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelSymbolsTest {
    private static final long BASE = 0xffff_ffff_8100_0000L;

    @TempDir
    Path procRoot;

    private KernelSymbols of(String kallsyms) throws IOException {
        Files.writeString(procRoot.resolve("kallsyms"), kallsyms);
        return new KernelSymbols(procRoot);
    }

    @Test
    void anAddressBelongsToTheFunctionBeforeIt() throws IOException {
        KernelSymbols symbols = of("""
                ffffffff81000000 T first
                ffffffff81000100 t second
                ffffffff81000180 d data
                ffffffff81000200 W third
                """);
        assertThat(symbols.isReadable()).isTrue();
        assertThat(symbols.path(new long[] {BASE + 0x210, BASE + 0x190, BASE + 0x10}))
                .containsExactly("third", "second", "first");
    }

    @Test
    void aCallAtTheEndOfAFunctionReturnsToTheNextOneAndIsNotOfIt() throws IOException {
        KernelSymbols symbols = of("ffffffff81000000 T caller\nffffffff81000100 T next\n");
        assertThat(symbols.path(new long[] {BASE + 0x100})).containsExactly("caller");
    }

    @Test
    void linesOfModulesAreInAnOrderOfTheirOwn() throws IOException {
        KernelSymbols symbols = of("""
                ffffffff81000000 T kernel
                ffffffffc0002000 t later\t[module]
                ffffffffc0001000 t earlier\t[module]
                ffffffffa0001000 t other\t[module]
                """);
        assertThat(symbols.path(new long[] {0xffff_ffff_c000_2010L, 0xffff_ffff_c000_1010L, BASE + 1}))
                .containsExactly("later", "earlier", "kernel");
    }

    @Test
    void theFramesOfTheTraceItselfAreNotPartOfThePath() throws IOException {
        KernelSymbols symbols = of("""
                ffffffff81000000 T __x64_sys_kill
                ffffffff81000100 t trace_event_raw_event_signal_generate
                ffffffff81000200 t __traceiter_signal_generate
                """);
        assertThat(symbols.path(new long[] {BASE + 0x110, BASE + 0x210, BASE + 0x10}))
                .containsExactly("__x64_sys_kill");
    }

    @Test
    void addressesOutsideOfTheKernelHaveNoName() throws IOException {
        KernelSymbols symbols = of("ffffffff81000000 T first\n");
        assertThat(symbols.path(new long[] {0, 0x4000, -1})).containsExactly("first");
        assertThat(symbols.path(new long[] {0, 0x4000})).isEmpty();
        assertThat(symbols.path(new long[] {})).isEmpty();
    }

    @Test
    void theFileIsReadOnlyForUnseenAddresses() throws IOException {
        KernelSymbols symbols = of("ffffffff81000000 T first\n");
        assertThat(symbols.path(new long[] {BASE + 1})).containsExactly("first");
        Files.delete(procRoot.resolve("kallsyms"));
        assertThat(symbols.path(new long[] {BASE + 1})).containsExactly("first");
        assertThat(symbols.path(new long[] {BASE + 1, BASE + 1})).containsExactly("first", "first");
        assertThat(symbols.isReadable()).isFalse();
    }

    @Test
    void zerosAreNoAddresses() throws IOException {
        KernelSymbols symbols = of("0000000000000000 T _stext\n0000000000000000 T _text\n");
        assertThat(symbols.isReadable()).isFalse();
        assertThat(symbols.path(new long[] {BASE + 1})).isEmpty();
    }
}
