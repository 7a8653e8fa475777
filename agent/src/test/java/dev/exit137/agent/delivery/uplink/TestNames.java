package dev.exit137.agent.delivery.uplink;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.net.spi.InetAddressResolver;
import java.net.spi.InetAddressResolverProvider;
import java.security.Security;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/** The names that a test gives, besides those of this machine. The JVM finds this by META-INF/services. */
public final class TestNames extends InetAddressResolverProvider {
    private static final Map<String, InetAddress> ADDRESSES = new ConcurrentHashMap<>();

    /** From now on the name leads there. */
    static void set(String name, InetAddress address) {
        ADDRESSES.put(name, address);
    }

    @Override
    public InetAddressResolver get(Configuration configuration) {
        // Nothing was looked up before: the JVM has not read yet for how long it shall remember.
        Security.setProperty("networkaddress.cache.ttl", "0");
        InetAddressResolver machine = configuration.builtinResolver();
        return new InetAddressResolver() {
            @Override
            public Stream<InetAddress> lookupByName(String host, LookupPolicy policy) throws UnknownHostException {
                InetAddress address = ADDRESSES.get(host);
                return address == null ? machine.lookupByName(host, policy) : Stream.of(address);
            }

            @Override
            public String lookupByAddress(byte[] address) throws UnknownHostException {
                return machine.lookupByAddress(address);
            }
        };
    }

    @Override
    public String name() {
        return "names of tests";
    }
}
