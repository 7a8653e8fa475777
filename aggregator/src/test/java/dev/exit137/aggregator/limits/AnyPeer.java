package dev.exit137.aggregator.limits;

import dev.exit137.aggregator.server.Refusals;

/** For tests of what is not about peers. */
public final class AnyPeer {
    private AnyPeer() {}

    /** One that may do everything. */
    public static Peer unlimited() {
        return new Peer("any", new Peers(PeerLimits.NONE, new Refusals()));
    }
}
