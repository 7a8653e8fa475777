#include "bed.h"

#include <stdio.h>
#include <unistd.h>

#define STORM 40
#define CHURN 20

struct cell {
  char cgroup[PATH_BYTES];
  char comm[16];
  unsigned long inode;
  pid_t pid;
};

// Forty containers of one size, each with a process that waits; then all eat at once.
static void release_forty(struct cell *cells, const char *root) {
  int gate[2];
  if (pipe(gate) < 0) {
    die("pipe");
  }
  for (int i = 0; i < STORM; i++) {
    struct cell *cell = &cells[i];
    snprintf(cell->cgroup, sizeof cell->cgroup, "%s/cell-%02d", root, i);
    snprintf(cell->comm, sizeof cell->comm, "storm-%02d", i);
    cgroup_make(cell->cgroup);
    cgroup_limit(cell->cgroup, 4 * MIB);
    cell->inode = cgroup_inode(cell->cgroup);
    cell->pid = victim_start(&(struct victim){.cgroup = cell->cgroup, .comm = cell->comm, .gate = gate});
  }
  close(gate[0]);
  close(gate[1]);
}

static void tell(const struct cell *cell) {
  truth_process(cell->cgroup, cell->inode, cell->pid, cell->comm, BY_OOM_KILLER);
}

void storm_reaped(const char *root) {
  struct cell cells[STORM];
  release_forty(cells, root);
  for (int i = 0; i < STORM; i++) {
    victim_reap(cells[i].pid);
    tell(&cells[i]);
  }
}

// The zombies stay until somebody closes this process' standard input.
void storm_unreaped(const char *root) {
  struct cell cells[STORM];
  release_forty(cells, root);
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
