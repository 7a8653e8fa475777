/**
 * The kernel's log device: read to its end, waited for with epoll, and opened again after a failure.
 *
 * @see <a href="https://www.kernel.org/doc/Documentation/ABI/testing/dev-kmsg">Documentation/ABI/testing/dev-kmsg</a>
 */
@NullMarked
package dev.exit137.agent.kmsg;

import org.jspecify.annotations.NullMarked;
