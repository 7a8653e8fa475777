/** The figures of {@code make bench}. Nothing here is shipped. */
package dev.exit137.bench;
