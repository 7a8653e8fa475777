/** Collections that do not grow for ever. */
package dev.exit137.daemon.collect;
