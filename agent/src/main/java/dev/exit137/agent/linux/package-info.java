/** libc, and the little that is built right on it. */
package dev.exit137.agent.linux;
