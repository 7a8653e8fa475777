/**
 * The product on real kernels: a node in User Mode Linux with cgroup v2, and this machine itself. The scenarios
 * (src/main/c) write down what they did; the tests compare what a gRPC consumer received with that, never with what the
 * agent says.
 */
package dev.exit137.nativetest;
