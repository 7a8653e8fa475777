package dev.exit137.oomreport.parse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KmsgRecordFlyweightTest {

    @Test
    void readsThePrefixAndTheMessageOfAKernelRecord() {
        KmsgRecordFlyweight view = Records.wrap(Records.bytes("3,635,1780257684,-;Out of memory: Killed process 1\n"));

        assertThat(view.isValid()).isTrue();
        assertThat(view.facility()).isZero();
        assertThat(view.level()).isEqualTo(3);
        assertThat(view.sequence()).isEqualTo(635);
        assertThat(view.timestampMicros()).isEqualTo(1780257684);
        assertThat(new String(view.buffer(), view.messageOffset(), view.messageLength()))
                .isEqualTo("Out of memory: Killed process 1");
    }

    @Test
    void aRecordThatAProgramWroteIsNotOfTheKernelsFacility() {
        KmsgRecordFlyweight view =
                Records.wrap(Records.bytes("12,10,1000,-;Out of memory: Killed process 1 (spoofed)\n"));

        assertThat(view.isValid()).isTrue();
        assertThat(view.facility()).isEqualTo(1);
        assertThat(view.level()).isEqualTo(4);
    }

    @Test
    void theDictionaryAndFieldsOfLaterKernelsAreNotPartOfTheMessage() {
        String record = "7,160,424069,-,caller=T1,more=x;pci_root PNP0A03:00; host bridge\n"
                + " SUBSYSTEM=acpi\n DEVICE=+acpi:0\n";

        assertThat(Records.message(Records.bytes(record))).isEqualTo("pci_root PNP0A03:00; host bridge");
    }

    @Test
    void kernelsBefore36HaveNoFlags() {
        assertThat(Records.message(Records.bytes("7,160,424069;pci_root\n"))).isEqualTo("pci_root");
    }

    @Test
    void anEmptyMessageIsAMessage() {
        KmsgRecordFlyweight view = Records.wrap(Records.bytes("6,1,2,-;\n"));

        assertThat(view.isValid()).isTrue();
        assertThat(view.messageLength()).isZero();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "\n",
                ";",
                ";\n",
                "6",
                "6,1,2,-;no newline",
                "6,1,2,-\n",
                "6,1,2\n;x\n",
                ",1,2,-;x\n",
                "6,,2,-;x\n",
                "6,1,,-;x\n",
                "6,1;x\n",
                "6;1;2;x\n",
                "x,1,2,-;x\n",
                "-6,1,2,-;x\n",
                "6, 1,2,-;x\n",
                "6,1,2x,-;x\n",
                "4294967296,1,2,-;x\n",
                "6,18446744073709551615,2,-;x\n",
                "6,1,18446744073709551616,-;x\n",
                " SUBSYSTEM=acpi\n"
            })
    void bytesThatAreNoRecordAreInvalidAndSayNothing(String bytes) {
        KmsgRecordFlyweight view = Records.wrap(Records.bytes("3,635,1780257684,-;Out of memory\n"));

        view.wrap(Records.bytes(bytes), 0, bytes.length());

        assertThat(view.isValid()).isFalse();
        assertThat(view.facility() + view.level() + view.sequence() + view.timestampMicros())
                .isZero();
        assertThat(view.messageLength()).isZero();
    }

    @Test
    void aRecordCutAnywhereIsInvalid() {
        String record = "4,558,1780257288,-,caller=T7;hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0\n";

        for (int length = 0; length < record.length(); length++) {
            assertThat(new KmsgRecordFlyweight()
                            .wrap(Records.bytes(record), 0, length)
                            .isValid())
                    .as("%d bytes", length)
                    .isFalse();
        }
    }

    @Test
    void bytesOutsideTheRangeAreNotLookedAt() {
        byte[] buffer = Records.bytes("9,9,9,-;before\n6,1,2,-;message\n9,9,9,-;behind\n");
        KmsgRecordFlyweight view = new KmsgRecordFlyweight().wrap(buffer, 15, 16);

        assertThat(view.isValid()).isTrue();
        assertThat(view.sequence()).isEqualTo(1);
        assertThat(new String(buffer, view.messageOffset(), view.messageLength()))
                .isEqualTo("message");
        assertThat(view.wrap(buffer, 15, 15).isValid())
                .as("its newline is outside")
                .isFalse();
    }

    @Test
    void aRangeOutsideTheBufferIsAMistakeOfTheCaller() {
        assertThatThrownBy(() -> new KmsgRecordFlyweight().wrap(new byte[8], 4, 5))
                .isInstanceOf(IndexOutOfBoundsException.class);
    }
}
