/** What every gRPC call goes through: an unexpected exception, a malformed message, and a refusal are counted here. */
@NullMarked
package dev.exit137.aggregator.server;

import org.jspecify.annotations.NullMarked;
