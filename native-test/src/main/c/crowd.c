#define _GNU_SOURCE
#include "bed.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STACK_BYTES 1024

static int sleep_for_ever(void *unused) {
  (void)unused;
  prctl(PR_SET_NAME, "crowd");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  while (pause() < 0) {
  }
  return 0;
}

// Moved in one by one: what the kernel needs for a process is charged to the cgroup in which it is started, and these
// need more than the limits here.
void crowd_start(const char *cgroup, int processes) {
  char *stacks = malloc((size_t)processes * STACK_BYTES);
  for (int i = 1; i <= processes; i++) {
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD;
    pid_t pid = stacks ? clone(sleep_for_ever, stacks + i * STACK_BYTES, flags, NULL) : -1;
    if (pid < 0) {
      die("cannot start process %d of a crowd", i);
    }
    char text[16];
    snprintf(text, sizeof text, "%d", pid);
    cgroup_write(cgroup, "cgroup.procs", text);
  }
}
