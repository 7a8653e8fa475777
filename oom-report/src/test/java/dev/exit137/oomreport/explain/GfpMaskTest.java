package dev.exit137.oomreport.explain;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GfpMaskTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "0x14200ca(GFP_HIGHUSER_MOVABLE); 4.15.0-108-generic; GFP_HIGHUSER_MOVABLE",
                "0x201da; 3.10.0-514.6.1.el7.x86_64; GFP_HIGHUSER_MOVABLE|__GFP_COLD",
                "0x280da; 2.6.32-431.el6; GFP_HIGHUSER_MOVABLE|__GFP_ZERO",
                "0xd0; 3.13.0-57-generic; GFP_KERNEL",
                "0x3000d0; 3.16.0-4-amd64; GFP_KERNEL|__GFP_NOTRACK|0x100000",
                "0x24201ca; 4.4.0-170-generic; GFP_HIGHUSER_MOVABLE|__GFP_COLD",
                "0x26000c0; 4.4.0-170-generic; GFP_KERNEL|__GFP_NOTRACK",
                "0x0; 3.10.0; no flags",
                "0x0(); 5.4.0-29-generic; no flags",
            })
    void isReadByTheBitsOfItsVersion(String printed, String release, String names) {
        assertEquals(names, GfpMask.names(printed, release));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {"0x201da; ''", "0x201da; five", "0x201da; 5.4.0-29", "x; 3.10.0", "''; 3.10.0"})
    void isNotDecodedByTheBitsOfAnother(String printed, String release) {
        assertEquals("", GfpMask.names(printed, release));
    }

    @Test
    void whatIsNoMaskHasNoBits() {
        assertEquals(OptionalLong.of(0x201da), GfpMask.bits("0x201da"));
        assertEquals(OptionalLong.of(0), GfpMask.bits("0x0()"));
        assertEquals(OptionalLong.empty(), GfpMask.bits("0x"));
        assertEquals(OptionalLong.empty(), GfpMask.bits("0x123456789abcdef01"));
    }
}
