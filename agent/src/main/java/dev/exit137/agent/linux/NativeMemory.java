package dev.exit137.agent.linux;

import com.kenai.jffi.MemoryIO;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Memory at an address that libc can use; it lives as long as this object is reachable. Reading it allocates nothing.
 */
public final class NativeMemory {
    private final ByteBuffer bytes;
    final long address;

    NativeMemory(int size) {
        bytes = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder());
        address = MemoryIO.getInstance().getDirectBufferAddress(bytes);
    }

    int size() {
        return bytes.capacity();
    }

    int getInt(int offset) {
        return bytes.getInt(offset);
    }

    long getLong(int offset) {
        return bytes.getLong(offset);
    }

    /** Copies {@code length} bytes from {@code offset} to {@code to[at]}. */
    public void get(int offset, byte[] to, int at, int length) {
        bytes.get(offset, to, at, length);
    }

    /** Writes a number that is not negative, in decimal digits, and a NUL at the start. */
    void putDecimal(int number) {
        int digits = 1;
        for (int rest = number / 10; rest > 0; rest /= 10) {
            digits++;
        }
        bytes.put(digits, (byte) 0);
        int rest = number;
        for (int at = digits - 1; at >= 0; at--) {
            bytes.put(at, (byte) ('0' + rest % 10));
            rest /= 10;
        }
    }

    /** Writes the bytes and a NUL at the start. */
    void putString(byte[] text) {
        bytes.put(0, text).put(text.length, (byte) 0);
    }
}
