#include "bed.h"

#include <stdio.h>
#include <unistd.h>

#define STORM 40
#define CHURN 20

// One of a storm: the cgroup of its process, and the one that has the limit, which is the same or above it.
struct cell {
  char limited[PATH_BYTES];
  char cgroup[PATH_BYTES];
  char comm[16];
  unsigned long inode;
  pid_t pid;
};

static void name_container(struct cell *cell, const char *root, int i) {
  snprintf(cell->cgroup, sizeof cell->cgroup, "%s/cell-%02d", root, i);
  snprintf(cell->limited, sizeof cell->limited, "%s", cell->cgroup);
}

static void name_container_of_pod(struct cell *cell, const char *root, int i) {
  snprintf(cell->limited, sizeof cell->limited, "%s/kubepods-pod11111111_2222_3333_4444_6666666666%02d.slice", root, i);
  snprintf(cell->cgroup, sizeof cell->cgroup,
      "%s/kubepods-pod11111111_2222_3333_4444_6666666666%02d.slice"
      "/cri-containerd-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd%02d.scope", root, i, i);
}

// Forty containers, each with a process that waits; then all eat at once, up to limits of one size.
static void release_forty(struct cell *cells, const char *root, void (*name)(struct cell *, const char *, int)) {
  int gate[2];
  if (pipe(gate) < 0) {
    die("pipe");
  }
  for (int i = 0; i < STORM; i++) {
    struct cell *cell = &cells[i];
    name(cell, root, i);
    snprintf(cell->comm, sizeof cell->comm, "storm-%02d", i);
    cgroup_make(cell->cgroup);
    cgroup_limit(cell->limited, 4 * MIB);
    cell->inode = cgroup_inode(cell->cgroup);
    cell->pid = victim_start(&(struct victim){.cgroup = cell->cgroup, .comm = cell->comm, .gate = gate});
  }
  close(gate[0]);
  close(gate[1]);
}

static void tell(const struct cell *cell) {
  truth_process(cell->cgroup, cell->inode, cell->pid, cell->comm, BY_OOM_KILLER);
}

static void reap_forty(struct cell *cells) {
  for (int i = 0; i < STORM; i++) {
    victim_reap(cells[i].pid);
    tell(&cells[i]);
  }
}

void storm_reaped(const char *root) {
  struct cell cells[STORM];
  release_forty(cells, root, name_container);
  reap_forty(cells);
}

// The limits are the pods', and their containers have none.
void storm_of_pods(void) {
  struct cell cells[STORM];
  release_forty(cells, "/kubepods.slice", name_container_of_pod);
  reap_forty(cells);
}

// The zombies stay until somebody closes this process' standard input.
void storm_unreaped(const char *root) {
  struct cell cells[STORM];
  release_forty(cells, root, name_container);
  for (int i = 0; i < STORM; i++) {
    victim_await_zombie(cells[i].pid);
    tell(&cells[i]);
  }
}

// A cgroup's whole life in a few milliseconds. Every path is used twice: the second is another cgroup.
void churn(const char *root) {
  cgroup_make(root);
  for (int i = 0; i < CHURN; i++) {
    struct cell cell;
    snprintf(cell.cgroup, sizeof cell.cgroup, "%s/brief-%d", root, i / 2);
    snprintf(cell.comm, sizeof cell.comm, "churn-%02d", i);
    cgroup_make(cell.cgroup);
    cgroup_limit(cell.cgroup, 2 * MIB);
    cell.inode = cgroup_inode(cell.cgroup);
    cell.pid = victim_start(&(struct victim){.cgroup = cell.cgroup, .comm = cell.comm});
    victim_reap(cell.pid);
    cgroup_remove(cell.cgroup);
    tell(&cell);
  }
}
