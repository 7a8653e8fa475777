package dev.exit137.cli.analyze;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What is passed over at full speed is passed over rightly. */
class AnchorScanTest {
    private static final byte[] LINE =
            "usb 1-1: New USB device found, idVendor=0781 ".repeat(2).getBytes(US_ASCII);

    @Test
    void anAnchorIsFoundWhereverItStands() {
        byte[] anchor = "oom-kill".getBytes(US_ASCII);
        for (int at = 0; at + anchor.length <= LINE.length; at++) {
            byte[] text = LINE.clone();
            System.arraycopy(anchor, 0, text, at, anchor.length);
            assertThat(AnchorScan.find(text, 0, text.length)).isEqualTo(at);
            assertThat(AnchorScan.find(text, at + 1, text.length)).isEqualTo(-1);
            assertThat(AnchorScan.find(text, 0, at + anchor.length - 1)).isEqualTo(-1);
        }
    }

    @Test
    void linesAreCountedRightHoweverLongOrShort() {
        Random random = new Random(137);
        byte[] text = new byte[20_000];
        for (int newlinesInTen = 0; newlinesInTen <= 10; newlinesInTen++) {
            for (int i = 0; i < text.length; i++) {
                // Neighbours of a newline in value would be the first to be taken for one.
                text[i] = (byte)
                        (random.nextInt(10) < newlinesInTen ? '\n' : random.nextBoolean() ? '\n' + 1 : '\n' | 0x80);
            }
            int from = random.nextInt(20);
            int to = text.length - random.nextInt(20);
            int naive = 0;
            for (byte each : Arrays.copyOfRange(text, from, to)) {
                naive += each == '\n' ? 1 : 0;
            }
            assertThat(AnchorScan.newlines(text, from, to))
                    .as("%d in ten", newlinesInTen)
                    .isEqualTo(naive);
        }
    }
}
