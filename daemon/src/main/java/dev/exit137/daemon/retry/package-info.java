/** How long to wait before something that failed is tried again. */
package dev.exit137.daemon.retry;
