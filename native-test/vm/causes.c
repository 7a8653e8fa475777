/*
 * Sends a SIGKILL in one way: causes NAME. It prints the pid of the victim, waits for a line, lets it happen, prints
 * how the victim ended, and waits for the end of its input: until then /proc has both.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void wait_for_line(void) {
  char line[8];
  (void)!read(STDIN_FILENO, line, sizeof line);
}

/* A process that waits for its end; it has that name. */
static pid_t victim(const char *name) {
  int named[2];
  char byte;
  (void)!pipe(named);
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_NAME, name);
    (void)!write(named[1], "", 1);
    for (;;) {
      pause();
    }
  }
  (void)!read(named[0], &byte, 1);
  printf("%d\n", pid);
  wait_for_line();
  return pid;
}

static void *idle(void *unused) {
  (void)unused;
  for (;;) {
    pause();
  }
  return NULL;
}

static void by_tkill(const char *name) {
  syscall(SYS_tkill, victim(name), SIGKILL);
}

static void by_pidfd(const char *name) {
  int fd = syscall(SYS_pidfd_open, victim(name), 0);
  syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
}

static void by_sigqueue(const char *name) {
  sigqueue(victim(name), SIGKILL, (union sigval){0});
}

static void of_threads(const char *name) {
  pid_t pid = fork();
  if (pid == 0) {
    pthread_t thread;
    prctl(PR_SET_NAME, name);
    pthread_create(&thread, NULL, idle, NULL);
    idle(NULL);
  }
  printf("%d\n", pid);
  wait_for_line();
  kill(pid, SIGKILL);
}

static void by_itself(const char *name) {
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_NAME, name);
    printf("%d\n", getpid());
    wait_for_line();
    raise(SIGKILL);
  }
}

/* Its parent ends, which is a child of this process. */
static void by_end_of_parent(const char *name) {
  if (fork() == 0) {
    int asked[2];
    char byte;
    (void)!pipe(asked);
    pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_NAME, name);
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      (void)!write(asked[1], "", 1);
      idle(NULL);
    }
    (void)!read(asked[0], &byte, 1);
    printf("%d\n", pid);
    wait_for_line();
    _exit(0);
  }
}

/* Process 1 of its namespace ends; the victim's pid in this namespace is not known in that one. */
static void by_end_of_namespace(const char *name) {
  if (syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0) == 0) {
    if (fork() == 0) {
      prctl(PR_SET_NAME, name);
      char self[32];
      ssize_t length = readlink("/proc/self", self, sizeof self - 1);
      printf("%.*s\n", (int)length, self);
      idle(NULL);
    }
    wait_for_line();
    _exit(0);
  }
}

static void by_limit_of_time(const char *name) {
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_NAME, name);
    printf("%d\n", getpid());
    wait_for_line();
    signal(SIGXCPU, SIG_IGN);
    setrlimit(RLIMIT_CPU, &(struct rlimit){1, 1});
    for (;;) {
    }
  }
}

static void by_end_of_tracer(const char *name) {
  pid_t pid = victim(name);
  if (fork() == 0) {
    ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_EXITKILL);
    _exit(0);
  }
}

static void by_timer(const char *name) {
  if (fork() == 0) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    prctl(PR_SET_NAME, name);
    printf("%d\n", getpid());
    wait_for_line();
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &(struct itimerspec){.it_value = {.tv_nsec = 1000000}}, NULL);
    idle(NULL);
  }
}

static const struct {
  const char *name;
  void (*happen)(const char *);
} ways[] = {
    {"tkill", by_tkill},
    {"pidfd", by_pidfd},
    {"sigqueue", by_sigqueue},
    {"threads", of_threads},
    {"self", by_itself},
    {"pdeathsig", by_end_of_parent},
    {"pidns", by_end_of_namespace},
    {"rlimit", by_limit_of_time},
    {"exitkill", by_end_of_tracer},
    {"timer", by_timer},
};

int main(int count, char **arguments) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (size_t i = 0; count == 2 && i < sizeof ways / sizeof *ways; i++) {
    if (strcmp(ways[i].name, arguments[1]) == 0) {
      int status;
      ways[i].happen(arguments[1]);
      while (wait(&status) > 0 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)) {
      }
      puts("done");
      wait_for_line();
      return 0;
    }
  }
  fprintf(stderr, "usage: causes NAME\n");
  return 1;
}
