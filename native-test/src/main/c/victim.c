#include "bed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void victim_eat(const char *comm) {
  prctl(PR_SET_NAME, comm);
  for (;;) {
    void *chunk = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (chunk == MAP_FAILED) {
      die("mmap");
    }
    memset(chunk, 137, MIB);
  }
}

static void set_oom_score_adj(int value) {
  FILE *file = fopen("/proc/self/oom_score_adj", "we");
  if (!file || fprintf(file, "%d", value) < 0 || fclose(file) != 0) {
    die("cannot set oom_score_adj %d", value);
  }
}

pid_t victim_start(const struct victim *victim) {
  int joined[2];
  if (pipe(joined) < 0) {
    die("pipe");
  }
  pid_t pid = fork();
  if (pid < 0) {
    die("fork");
  }
  char byte;
  if (pid > 0) {
    close(joined[1]);
    (void)!read(joined[0], &byte, 1);
    close(joined[0]);
    return pid;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  cgroup_join(victim->cgroup);
  prctl(PR_SET_NAME, victim->comm);
  if (victim->oom_score_adj != 0) {
    set_oom_score_adj(victim->oom_score_adj);
  }
  close(joined[0]);
  close(joined[1]);
  if (victim->gate) {
    close(victim->gate[1]);
    (void)!read(victim->gate[0], &byte, 1);
  }
  victim_eat(victim->comm);
}

void victim_reap(pid_t pid) {
  int status;
  if (waitpid(pid, &status, 0) < 0) {
    die("waitpid %d", pid);
  }
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
    die("pid %d was not killed: wait status 0x%x", pid, status);
  }
}

void victim_await_zombie(pid_t pid) {
  siginfo_t info;
  if (waitid(P_PID, pid, &info, WEXITED | WNOWAIT) < 0) {
    die("waitid %d", pid);
  }
}
