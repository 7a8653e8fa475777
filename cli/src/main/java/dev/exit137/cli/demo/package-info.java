/** The kill that {@code exit137 demo} makes, and what an event about it must say. */
@NullMarked
package dev.exit137.cli.demo;

import org.jspecify.annotations.NullMarked;
