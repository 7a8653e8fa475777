// What the scenarios are made of: cgroups, processes that die in them, and the truth about both, written as JSON Lines.
#ifndef EXIT137_BED_H
#define EXIT137_BED_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PATH_BYTES 512
#define MIB (1024L * 1024L)

// Prints "scenario: <message>: <errno>" and ends this process with status 1.
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Pause of a polling loop, 1 ms.
void breathe(void);

// --- cgroup.c: cgroup v2; paths are as the kernel prints them, "/a/b".

// Makes the cgroup and every missing parent, with the memory controller all the way down.
void cgroup_make(const char *path);
// memory.max.
void cgroup_limit(const char *path, long bytes);
void cgroup_write(const char *path, const char *file, const char *text);
// Moves the calling process in.
void cgroup_join(const char *path);
// Removes the cgroup, waiting for the kernel to let go of processes that are already dead.
void cgroup_remove(const char *path);
unsigned long cgroup_inode(const char *path);

// --- victim.c

struct victim {
  const char *cgroup;     // joined before anything else
  const char *comm;       // at most 15 bytes, any but 0
  int oom_score_adj;      // 0 leaves it alone
  const int *gate;        // a pipe: eat once its writing end is closed everywhere; NULL: at once
};

// Forks a process that eats memory until it is killed. Returns when it has joined its cgroup.
pid_t victim_start(const struct victim *victim);
// In the calling process: takes a name and eats memory until killed.
_Noreturn void victim_eat(const char *comm);
// Waits for the child's death and reaps it; ends the scenario if it did not die by SIGKILL.
void victim_reap(pid_t pid);
// Waits for the child's death and leaves the zombie.
void victim_await_zombie(pid_t pid);

// --- truth.c

enum death {
  BY_OOM_KILLER,    // the OOM killer names it in the kernel's log
  ONE_OF_THESE,     // the OOM killer names exactly one of the scenario's processes with this word
  NOT_BY_OOM,       // it died or lives, and no event may name it
};

// Opens the file for appending, notes the kernel's kill counter and marks the place in the kernel's log.
void truth_begin(const char *file, const char *scenario);
// One process of the scenario.
void truth_process(const char *cgroup, unsigned long inode, pid_t pid, const char *comm, enum death death);
// The scenario as a whole: how far the kernel's kill counter (/proc/vmstat) has moved, and where it stands.
void truth_end(void);

// --- storm.c: many kills; each takes the place in the hierarchy below which it works.

void storm_reaped(const char *root);
void storm_unreaped(const char *root);
void storm_of_pods(void);
void churn(const char *root);

// --- flood.c

// Writes so many records to the kernel's log; with pauses, in which other readers keep up, or as fast as it goes.
void flood(int records, bool pauses);

// --- crowd.c

// Starts so many processes in the cgroup that only sleep. They share one address space, so that they cost next to
// nothing, and they end with the calling process.
void crowd_start(const char *cgroup, int processes);

#endif
