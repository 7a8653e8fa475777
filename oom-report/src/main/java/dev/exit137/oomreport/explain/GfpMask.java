package dev.exit137.oomreport.explain;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The gfp mask of an allocation, {@code 0x14200ca(GFP_HIGHUSER_MOVABLE)} or, before 4.6, {@code 0x201da}. Its lowest
 * four bits mean the same in every version (include/linux/gfp_types.h, before 6.0 gfp.h): the zones that may serve the
 * allocation.
 */
public final class GfpMask {
    static final long DMA = 0x1;
    static final long HIGHMEM = 0x2;
    static final long DMA32 = 0x4;
    static final long MOVABLE = 0x8;

    private static final Pattern PRINTED = Pattern.compile("0x([0-9a-f]{1,8})(?:\\((.*)\\))?");
    private static final Pattern RELEASE = Pattern.compile("(\\d{1,3})\\.(\\d{1,3})\\D.*");

    // Bits with the same meaning from 2.6.24 to 4.5.
    private static final Map<Long, String> BITS = new LinkedHashMap<>();
    private static final Map<Long, String> BITS_TO_4_3 = new LinkedHashMap<>();
    private static final Map<Long, String> BITS_4_4_AND_4_5 = new LinkedHashMap<>();
    private static final Map<Long, String> NAMES_TO_4_3 = new LinkedHashMap<>();
    private static final Map<Long, String> NAMES_4_4_AND_4_5 = new LinkedHashMap<>();

    static {
        BITS.put(DMA, "__GFP_DMA");
        BITS.put(HIGHMEM, "__GFP_HIGHMEM");
        BITS.put(DMA32, "__GFP_DMA32");
        BITS.put(MOVABLE, "__GFP_MOVABLE");
        BITS.put(0x20L, "__GFP_HIGH");
        BITS.put(0x40L, "__GFP_IO");
        BITS.put(0x80L, "__GFP_FS");
        BITS.put(0x100L, "__GFP_COLD");
        BITS.put(0x200L, "__GFP_NOWARN");
        BITS.put(0x400L, "__GFP_REPEAT");
        BITS.put(0x800L, "__GFP_NOFAIL");
        BITS.put(0x1000L, "__GFP_NORETRY");
        BITS.put(0x4000L, "__GFP_COMP");
        BITS.put(0x8000L, "__GFP_ZERO");
        BITS.put(0x10000L, "__GFP_NOMEMALLOC");
        BITS.put(0x20000L, "__GFP_HARDWALL");
        BITS.put(0x40000L, "__GFP_THISNODE");
        BITS.put(0x200000L, "__GFP_NOTRACK");
        BITS.put(0x800000L, "__GFP_OTHER_NODE");
        BITS.put(0x1000000L, "__GFP_WRITE");
        BITS_TO_4_3.put(0x10L, "__GFP_WAIT");
        BITS_TO_4_3.put(0x80000L, "__GFP_RECLAIMABLE");
        BITS_TO_4_3.put(0x400000L, "__GFP_NO_KSWAPD");
        BITS_4_4_AND_4_5.put(0x10L, "__GFP_RECLAIMABLE");
        BITS_4_4_AND_4_5.put(0x2000L, "__GFP_MEMALLOC");
        BITS_4_4_AND_4_5.put(0x80000L, "__GFP_ATOMIC");
        BITS_4_4_AND_4_5.put(0x400000L, "__GFP_DIRECT_RECLAIM");
        BITS_4_4_AND_4_5.put(0x2000000L, "__GFP_KSWAPD_RECLAIM");
        // The kernel's own names for sets of bits, the largest first.
        NAMES_TO_4_3.put(0x200daL, "GFP_HIGHUSER_MOVABLE");
        NAMES_TO_4_3.put(0x200d2L, "GFP_HIGHUSER");
        NAMES_TO_4_3.put(0x200d0L, "GFP_USER");
        NAMES_TO_4_3.put(0x800d0L, "GFP_TEMPORARY");
        NAMES_TO_4_3.put(0xd0L, "GFP_KERNEL");
        NAMES_TO_4_3.put(0x50L, "GFP_NOFS");
        NAMES_TO_4_3.put(0x10L, "GFP_NOIO");
        NAMES_4_4_AND_4_5.put(0x24200caL, "GFP_HIGHUSER_MOVABLE");
        NAMES_4_4_AND_4_5.put(0x24200c2L, "GFP_HIGHUSER");
        NAMES_4_4_AND_4_5.put(0x24200c0L, "GFP_USER");
        NAMES_4_4_AND_4_5.put(0x24000d0L, "GFP_TEMPORARY");
        NAMES_4_4_AND_4_5.put(0x24000c0L, "GFP_KERNEL");
        NAMES_4_4_AND_4_5.put(0x2400040L, "GFP_NOFS");
        NAMES_4_4_AND_4_5.put(0x2400000L, "GFP_NOIO");
        NAMES_4_4_AND_4_5.put(0x2080020L, "GFP_ATOMIC");
        BITS_TO_4_3.putAll(BITS);
        BITS_4_4_AND_4_5.putAll(BITS);
    }

    private GfpMask() {}

    /** The bits; empty where the text is no mask. */
    static OptionalLong bits(String printed) {
        Matcher matcher = PRINTED.matcher(printed);
        return matcher.matches() ? OptionalLong.of(Long.parseLong(matcher.group(1), 16)) : OptionalLong.empty();
    }

    /**
     * The flags by name: as the kernel printed them, or, for a kernel that printed none, by the bits of its version. Bits
     * without a name in that version stay a number. Empty where the version is not known, since 4.4 assigned the bits
     * anew.
     */
    public static String names(String printed, String kernelRelease) {
        Matcher matcher = PRINTED.matcher(printed);
        if (!matcher.matches()) {
            return "";
        }
        long bits = Long.parseLong(matcher.group(1), 16);
        if (bits == 0) {
            return "no flags";
        }
        if (matcher.group(2) != null) {
            return matcher.group(2);
        }
        Matcher release = RELEASE.matcher(kernelRelease);
        if (!release.matches()) {
            return "";
        }
        int version = Integer.parseInt(release.group(1)) * 1000 + Integer.parseInt(release.group(2));
        if (version < 4004) {
            return decode(bits, NAMES_TO_4_3, BITS_TO_4_3);
        }
        return version < 4006 ? decode(bits, NAMES_4_4_AND_4_5, BITS_4_4_AND_4_5) : "";
    }

    private static String decode(long bits, Map<Long, String> sets, Map<Long, String> single) {
        List<String> names = new ArrayList<>();
        long left = bits;
        for (Map<Long, String> table : List.of(sets, single)) {
            for (Map.Entry<Long, String> entry : table.entrySet()) {
                if ((left & entry.getKey()) == entry.getKey()) {
                    names.add(entry.getValue());
                    left &= ~entry.getKey();
                }
            }
        }
        if (left != 0) {
            names.add("0x" + Long.toHexString(left));
        }
        return String.join("|", names);
    }
}
