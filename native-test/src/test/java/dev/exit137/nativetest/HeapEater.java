package dev.exit137.nativetest;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A separate program: once a byte comes in, it fills its heap. */
final class HeapEater {
    private static final int CHUNK_BYTES = 1 << 20;

    private HeapEater() {}

    public static void main(String[] arguments) throws IOException {
        if (System.in.read() < 0) {
            return;
        }
        List<byte[]> heap = new ArrayList<>();
        while (true) {
            byte[] chunk = new byte[CHUNK_BYTES];
            Arrays.fill(chunk, (byte) 137);
            heap.add(chunk);
        }
    }
}
