package dev.exit137.oomreport.explain;

import static dev.exit137.oomreport.explain.Reports.KIB;
import static dev.exit137.oomreport.explain.Reports.MIB;
import static dev.exit137.oomreport.explain.Reports.fullZones;
import static dev.exit137.oomreport.explain.Reports.zone;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.exit137.proto.v1.Incident;
import dev.exit137.proto.v1.Zone;
import java.util.List;
import org.junit.jupiter.api.Test;

class ZonesTest {
    private static Incident.Builder report(String gfpMask, List<Zone> zones) {
        Incident.Builder incident = Incident.newBuilder().setPageSizeBytes(4 * KIB);
        incident.getTriggerBuilder().setGfpMask(gfpMask);
        incident.getNodeMemoryBuilder().addAllZones(zones);
        return incident;
    }

    /** The DMA zone shows 15 MiB free in every report of an OOM: they are kept from all that could live elsewhere. */
    @Test
    void whatIsKeptForThoseWhoNeedItIsNotThere() {
        Zones zones = Zones.of(report("0xcc0(GFP_KERNEL)", fullZones()).build());
        Zone dma = fullZones().get(0);
        assertEquals(64 * KIB + 15800 * 4 * KIB, zones.keptBytes(dma));
        assertTrue(zones.areAllLow());
    }

    @Test
    void whoNeedsItGetsIt() {
        Zones zones = Zones.of(report("0xcc1(GFP_KERNEL|GFP_DMA)", fullZones()).build());
        assertEquals(64 * KIB, zones.keptBytes(fullZones().get(0)));
        assertFalse(zones.areAllLow());
        assertEquals("DMA", Zones.names(zones.usable));
    }

    /** GFP_DMA32: of DMA, what is kept for the zone DMA32 alone. */
    @Test
    void theReserveIsThatForTheZoneAskedFor() {
        Zones zones =
                Zones.of(report("0xcc4(GFP_KERNEL|GFP_DMA32)", fullZones()).build());
        assertEquals(64 * KIB + 2800 * 4 * KIB, zones.keptBytes(fullZones().get(0)));
        assertEquals("DMA, DMA32", Zones.names(zones.usable));
    }

    /** The last try before the kill is for the mark high: a report may show more than min. */
    @Test
    void littleMoreThanMinIsTooLittle() {
        Zones zones = Zones.of(report("0xcc0", List.of(zone(0, "Normal", 5 * MIB, 4 * MIB, List.of())))
                .build());
        assertTrue(zones.areAllLow());
        assertFalse(zones.isShort(zone(0, "Normal", 5 * MIB, 4 * MIB, List.of())));
    }

    @Test
    void freeMemoryForMovablePagesIsForThemAlone() {
        Zone zone = zone(0, "Normal", 300 * MIB, MIB, List.of()).toBuilder()
                .putSizes("free_cma", 299 * MIB)
                .build();
        assertTrue(Zones.of(report("0xcc0", List.of(zone)).build()).areAllLow());
        assertFalse(Zones.of(report("0x100cca", List.of(zone)).build()).areAllLow());
    }

    @Test
    void onlyTheNodesThatItMayUse() {
        List<Zone> nodes = List.of(zone(0, "Normal", MIB, MIB, List.of()), zone(3, "Normal", 9 * MIB, MIB, List.of()));
        assertTrue(
                Zones.of(report("0xcc0", nodes).setMemsAllowed("0-2,4").build()).areAllLow());
        assertFalse(Zones.of(report("0xcc0", nodes)
                        .setMemsAllowed("0")
                        .setNodemask("2-3")
                        .build())
                .areAllLow());
    }

    /** A list that cannot be read confines to nothing. */
    @Test
    void aListThatIsNoneConfinesToNothing() {
        assertTrue(Zones.contains("0-", 7));
        assertTrue(Zones.contains("", 7));
        assertFalse(Zones.contains("0-6,8", 7));
    }

    @Test
    void aReportWithoutZonesSaysNothingOfThem() {
        Zones zones = Zones.of(Incident.getDefaultInstance());
        assertFalse(zones.areAllLow());
        assertTrue(zones.withRoom().isEmpty());
    }
}
