/**
 * The product on real kernels: a node in User Mode Linux with cgroup v2, and this machine itself. The scenarios
 * (src/main/c) write down their own actions; the tests compare these with the events that a gRPC consumer received,
 * never with the agent's own reports.
 */
package dev.exit137.nativetest;
