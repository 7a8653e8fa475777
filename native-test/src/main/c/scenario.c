// scenario NAME TRUTH_FILE: performs one scenario on this kernel and appends what really happened to TRUTH_FILE.
#define _GNU_SOURCE
#include "bed.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define POD_UID "11111111_2222_3333_4444_5555555555"
#define POD(qos, n) "/kubepods.slice/kubepods-" qos ".slice/kubepods-" qos "-pod" POD_UID #n ".slice"
#define CONTAINER(n) "/cri-containerd-" \
  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd" #n ".scope"

static void die_in(const char *cgroup, const char *comm) {
  unsigned long inode = cgroup_inode(cgroup);
  pid_t pid = victim_start(&(struct victim){.cgroup = cgroup, .comm = comm});
  victim_reap(pid);
  truth_process(cgroup, inode, pid, comm, BY_OOM_KILLER);
}

static void die_at_own_limit(const char *cgroup, const char *comm) {
  cgroup_make(cgroup);
  cgroup_limit(cgroup, 4 * MIB);
  die_in(cgroup, comm);
}

static void before_first_start(void) {
  die_at_own_limit(POD("burstable", 10) CONTAINER(10), "early");
}

static void container_limit(void) {
  die_at_own_limit(POD("burstable", 11) CONTAINER(11), "java");
}

static void pod_limit(void) {
  cgroup_make(POD("burstable", 12) CONTAINER(12));
  cgroup_limit(POD("burstable", 12), 4 * MIB);
  die_in(POD("burstable", 12) CONTAINER(12), "sidecar");
}

// Runs until the node has no memory left: only for a machine that exists for this.
static void global(void) {
  const char *cgroup = POD("besteffort", 13) CONTAINER(13);
  cgroup_make(cgroup);
  unsigned long inode = cgroup_inode(cgroup);
  pid_t pid = victim_start(&(struct victim){.cgroup = cgroup, .comm = "glutton", .oom_score_adj = 1000});
  victim_reap(pid);
  truth_process(cgroup, inode, pid, "glutton", BY_OOM_KILLER);
}

static void group(void) {
  const char *cgroup = POD("burstable", 14) CONTAINER(14);
  cgroup_make(cgroup);
  cgroup_limit(cgroup, 4 * MIB);
  cgroup_write(cgroup, "memory.oom.group", "1");
  unsigned long inode = cgroup_inode(cgroup);
  int gate[2];
  if (pipe(gate) < 0) {
    die("pipe");
  }
  pid_t idle_one = victim_start(&(struct victim){.cgroup = cgroup, .comm = "idle-one", .gate = gate});
  pid_t idle_two = victim_start(&(struct victim){.cgroup = cgroup, .comm = "idle-two", .gate = gate});
  pid_t eater = victim_start(&(struct victim){.cgroup = cgroup, .comm = "eater"});
  victim_reap(eater);
  victim_reap(idle_one);
  victim_reap(idle_two);
  truth_process(cgroup, inode, eater, "eater", BY_OOM_KILLER);
  truth_process(cgroup, inode, idle_one, "idle-one", BY_OOM_KILLER);
  truth_process(cgroup, inode, idle_two, "idle-two", BY_OOM_KILLER);
}

static void removed_at_death(void) {
  const char *cgroup = "/batch/removed-at-death";
  die_at_own_limit(cgroup, "short-lived");
  cgroup_remove(cgroup);
}

static void child_of_main(void) {
  const char *cgroup = POD("burstable", 15) CONTAINER(15);
  cgroup_make(cgroup);
  cgroup_limit(cgroup, 4 * MIB);
  unsigned long inode = cgroup_inode(cgroup);
  int report[2];
  if (pipe(report) < 0) {
    die("pipe");
  }
  pid_t main_pid = fork();
  if (main_pid == 0) {
    cgroup_join(cgroup);
    pid_t worker = victim_start(&(struct victim){.cgroup = cgroup, .comm = "worker"});
    victim_reap(worker);
    _exit(write(report[1], &worker, sizeof worker) == sizeof worker ? 0 : 1);
  }
  pid_t worker;
  int status;
  if (read(report[0], &worker, sizeof worker) != sizeof worker || waitpid(main_pid, &status, 0) < 0 || status != 0) {
    die("the main process did not outlive its worker");
  }
  truth_process(cgroup, inode, worker, "worker", BY_OOM_KILLER);
  truth_process(cgroup, inode, main_pid, "scenario", NOT_BY_OOM);
}

static void strange_names(void) {
  die_at_own_limit("/names/parentheses", "a) (b");
  die_at_own_limit("/names/like-the-summary", "x,task=y,pid=1");
  die_at_own_limit("/names/utf-8", "\u65e5\u672c\u8a9e\u3067\u3059");
  die_at_own_limit("/names/newline", "new\nline");
}

static void ordinary_kill(void) {
  const char *cgroup = POD("burstable", 16) CONTAINER(16);
  cgroup_make(cgroup);
  unsigned long inode = cgroup_inode(cgroup);
  int gate[2];
  if (pipe(gate) < 0) {
    die("pipe");
  }
  pid_t pid = victim_start(&(struct victim){.cgroup = cgroup, .comm = "bystander", .gate = gate});
  kill(pid, SIGKILL);
  victim_reap(pid);
  truth_process(cgroup, inode, pid, "bystander", NOT_BY_OOM);
}

static void spoof(void) {
  // Without its newline a record stays open for continuation, and no reader sees it before the next one.
  const char *lines[] = {
      "<3>Memory cgroup out of memory: Killed process 1 (spoofed) total-vm:9999kB, anon-rss:9999kB, file-rss:0kB, "
      "shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:0\n",
      "<4>oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/spoof,"
      "task_memcg=/spoof,task=spoofed,pid=1,uid=0\n",
  };
  int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    if (fd < 0 || write(fd, lines[i], strlen(lines[i])) < 0) {
      die("cannot write /dev/kmsg");
    }
  }
  close(fd);
  truth_process("/spoof", 0, 1, "spoofed", NOT_BY_OOM);
}

static int eat_as(void *comm) {
  victim_eat(comm);
}

// Two processes, one address space: the kernel names and counts one of them, and kills both.
static void shared_mm(void) {
  const char *cgroup = POD("burstable", 17) CONTAINER(17);
  cgroup_make(cgroup);
  cgroup_limit(cgroup, 4 * MIB);
  unsigned long inode = cgroup_inode(cgroup);
  pid_t *twins = mmap(NULL, sizeof(pid_t[2]), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  twins[0] = fork();
  if (twins[0] == 0) {
    cgroup_join(cgroup);
    static char stack[64 * 1024] __attribute__((aligned(16)));
    // CLONE_PARENT makes the twin this scenario's own child, so that it is the one to reap both.
    twins[1] = clone(eat_as, stack + sizeof stack, CLONE_VM | CLONE_PARENT | SIGCHLD, (void *)"twin-two");
    victim_eat("twin-one");
  }
  victim_reap(twins[0]);
  victim_reap(twins[1]);
  truth_process(cgroup, inode, twins[0], "twin-one", ONE_OF_THESE);
  truth_process(cgroup, inode, twins[1], "twin-two", ONE_OF_THESE);
}

static void before_restart(void) {
  die_at_own_limit("/restart/before", "before");
}

// The group comes first, so that the agent finds a repeated record and a cgroup that is gone.
static void while_down(void) {
  group();
  die_at_own_limit("/restart/down", "down");
  die_at_own_limit("/restart/down-removed", "down-removed");
  cgroup_remove("/restart/down-removed");
}

static void after_restart(void) {
  die_at_own_limit("/restart/after", "after");
  die_at_own_limit("/restart/down", "down-again");
}

static void storm(void) {
  storm_reaped("/storm");
}

static void storm_of_zombies(void) {
  storm_unreaped("/zombies");
}

static void storm_at_crash(void) {
  storm_reaped("/crash");
}

static void fast_churn(void) {
  churn("/churn");
}

// A kill at the limit of a cgroup with a crowd in it, all of which the report lists.
static void die_in_crowd(const char *cgroup, int crowd, const char *comm) {
  cgroup_make(cgroup);
  cgroup_limit(cgroup, 16 * MIB);
  unsigned long inode = cgroup_inode(cgroup);
  crowd_start(cgroup, crowd);
  pid_t pid = victim_start(&(struct victim){.cgroup = cgroup, .comm = comm, .oom_score_adj = 1000});
  victim_reap(pid);
  truth_process(cgroup, inode, pid, comm, BY_OOM_KILLER);
}

static void long_report(void) {
  die_in_crowd("/crowd/large", 5000, "one-of-many");
}

// For a ring that holds some 200 records.
static void larger_than_ring(void) {
  die_in_crowd("/crowd/larger-than-ring", 400, "last-line");
}

// Kills whose records are overwritten, two of them in one cgroup and one in a cgroup that nobody else sees, and a kill
// whose records are the ring's last.
static void lose_records(const char *root) {
  char cgroup[PATH_BYTES];
  snprintf(cgroup, sizeof cgroup, "%s/lost", root);
  die_at_own_limit(cgroup, "lost");
  die_at_own_limit(cgroup, "lost-again");
  snprintf(cgroup, sizeof cgroup, "%s/lost-removed", root);
  die_at_own_limit(cgroup, "lost-removed");
  cgroup_remove(cgroup);
  flood(1000, true);
  snprintf(cgroup, sizeof cgroup, "%s/told", root);
  die_at_own_limit(cgroup, "told");
}

static void overrun(void) {
  lose_records("/overrun");
}

static void overrun_while_down(void) {
  lose_records("/overrun-while-down");
}

static void after_overrun(void) {
  die_at_own_limit("/overrun/lost", "after-overrun");
}

// Whatever reads here meets gaps at any place of a report.
static void kills_in_flood(void) {
  for (int i = 0; i < 12; i++) {
    char cgroup[PATH_BYTES];
    char comm[16];
    snprintf(cgroup, sizeof cgroup, "/kills-in-flood/cell-%02d", i);
    snprintf(comm, sizeof comm, "flood-%02d", i);
    die_at_own_limit(cgroup, comm);
    flood(300, false);
  }
}

int main(int count, char **arguments) {
  static const struct {
    const char *name;
    void (*run)(void);
  } scenarios[] = {
      {"before-first-start", before_first_start}, {"container-limit", container_limit}, {"pod-limit", pod_limit},
      {"global", global}, {"group", group}, {"removed-at-death", removed_at_death}, {"child-of-main", child_of_main},
      {"strange-names", strange_names}, {"ordinary-kill", ordinary_kill}, {"spoof", spoof}, {"shared-mm", shared_mm},
      {"before-restart", before_restart}, {"while-down", while_down}, {"after-restart", after_restart},
      {"churn", fast_churn}, {"storm", storm}, {"storm-of-zombies", storm_of_zombies},
      {"storm-of-pods", storm_of_pods},
      {"storm-at-crash", storm_at_crash}, {"long-report", long_report}, {"larger-than-ring", larger_than_ring},
      {"overrun", overrun}, {"overrun-while-down", overrun_while_down}, {"after-overrun", after_overrun},
      {"kills-in-flood", kills_in_flood},
  };
  for (size_t i = 0; count == 3 && i < sizeof scenarios / sizeof *scenarios; i++) {
    if (strcmp(arguments[1], scenarios[i].name) == 0) {
      truth_begin(arguments[2], scenarios[i].name);
      scenarios[i].run();
      truth_end();
      if (scenarios[i].run == storm_of_zombies) {
        char byte;
        (void)!read(STDIN_FILENO, &byte, 1);
      }
      return 0;
    }
  }
  fprintf(stderr, "usage: scenario NAME TRUTH_FILE; NAME is one of:\n");
  for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
    fprintf(stderr, "  %s\n", scenarios[i].name);
  }
  return 2;
}
