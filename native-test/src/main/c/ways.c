// ways WAY [PID]: a process ends by a SIGKILL in one of the ways that a kernel has. With a PID, this process kills that
// one, and lives on for a moment, so that it can be looked at. Without, this process is the one that ends.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SENDERS_LIFE_SECONDS 2
#define SURVIVED 3

static int failed(const char *what) {
  fprintf(stderr, "ways: %s: %s\n", what, strerror(errno));
  return 1;
}

static long by_tgkill(pid_t pid) {
  return syscall(SYS_tgkill, pid, pid, SIGKILL);
}

static long by_tkill(pid_t pid) {
  return syscall(SYS_tkill, pid, SIGKILL);
}

static long by_pidfd(pid_t pid) {
  long fd = syscall(SYS_pidfd_open, pid, 0);
  return fd < 0 ? fd : syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
}

static long by_sigqueue(pid_t pid) {
  return sigqueue(pid, SIGKILL, (union sigval){0});
}

static long by_group(pid_t pid) {
  return kill(-pid, SIGKILL);
}

// The kernel kills the tracee when this process ends.
static long by_tracers_end(pid_t pid) {
  if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_EXITKILL) < 0) {
    return -1;
  }
  sleep(1);
  _exit(0);
}

// One that its parent's end kills.
static void orphan(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) {
    pause();
  }
}

static void itself(void) {
  sleep(1);
  raise(SIGKILL);
  sleep(1);
}

// Any system call but read, write and _exit ends a process in strict mode with SIGKILL, without a signal_generate.
static void strict(void) {
  sleep(1);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  syscall(SYS_getpid);
}

static void crash(void) {
  sleep(1);
  volatile int *volatile nowhere = NULL;
  *nowhere = 1;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    long (*send)(pid_t);
    void (*end)(void);
  } ways[] = {
    {"tgkill", by_tgkill, NULL},
    {"tkill", by_tkill, NULL},
    {"pidfd", by_pidfd, NULL},
    {"sigqueue", by_sigqueue, NULL},
    {"group", by_group, NULL},
    {"tracer", by_tracers_end, NULL},
    {"orphan", NULL, orphan},
    {"itself", NULL, itself},
    {"strict", NULL, strict},
    {"crash", NULL, crash},
  };
  for (size_t i = 0; argc > 1 && i < sizeof ways / sizeof *ways; i++) {
    if (strcmp(argv[1], ways[i].name) == 0) {
      if (ways[i].end) {
        ways[i].end();
        return SURVIVED;
      }
      if (argc > 2 && ways[i].send((pid_t)atol(argv[2])) == 0) {
        sleep(SENDERS_LIFE_SECONDS);
        return 0;
      }
      return failed(argv[1]);
    }
  }
  fprintf(stderr, "usage: ways WAY [PID]\n");
  return 2;
}
