/** The interceptors of every gRPC call: they count unexpected exceptions, malformed messages and rejections. */
@NullMarked
package dev.exit137.aggregator.server;

import org.jspecify.annotations.NullMarked;
