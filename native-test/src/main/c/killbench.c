// What `make bench ONLY=trace` asks how long a kill(2) takes: killbench COUNT
//
// Sends SIGKILL to a zombie, which stays one, and prints the median of the nanoseconds. Between two kills it waits, as
// whoever reads the kernel's trace of signals does then.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void die(const char *what) {
  fprintf(stderr, "killbench: %s: %s\n", what, strerror(errno));
  exit(1);
}

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

static int compare(const void *a, const void *b) {
  long x = *(const long *)a, y = *(const long *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  int count = argc == 2 ? atoi(argv[1]) : 0;
  if (count < 1) {
    fprintf(stderr, "usage: killbench COUNT\n");
    return 1;
  }
  long *nanos = malloc(count * sizeof *nanos);
  pid_t victim = fork();
  if (!nanos || victim < 0) die("fork");
  if (!victim) _exit(0);
  siginfo_t end;
  if (waitid(P_PID, victim, &end, WEXITED | WNOWAIT)) die("waitid");
  for (int i = 0; i < count; i++) {
    long begin = now();
    if (kill(victim, SIGKILL)) die("kill");
    nanos[i] = now() - begin;
    usleep(1000);
  }
  qsort(nanos, count, sizeof *nanos, compare);
  printf("%ld\n", nanos[count / 2]);
  return 0;
}
