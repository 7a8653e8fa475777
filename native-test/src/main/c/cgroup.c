#include "bed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOUNT_POINT "/sys/fs/cgroup"

static void full_path(char *buffer, const char *path, const char *file) {
  int length = snprintf(buffer, PATH_BYTES, MOUNT_POINT "%s%s%s", path, *file ? "/" : "", file);
  if (length >= PATH_BYTES) {
    die("path too long: %s%s", path, file);
  }
}

void cgroup_write(const char *path, const char *file, const char *text) {
  char name[PATH_BYTES];
  full_path(name, path, file);
  int fd = open(name, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) {
    die("cannot write %s to %s", text, name);
  }
  close(fd);
}

void cgroup_make(const char *path) {
  char ancestor[PATH_BYTES] = "";
  for (const char *end = strchr(path + 1, '/');; end = strchr(end + 1, '/')) {
    cgroup_write(ancestor, "cgroup.subtree_control", "+memory");
    size_t length = end ? (size_t)(end - path) : strlen(path);
    memcpy(ancestor, path, length);
    ancestor[length] = 0;
    char name[PATH_BYTES];
    full_path(name, ancestor, "");
    if (mkdir(name, 0755) < 0 && errno != EEXIST) {
      die("cannot make cgroup %s", name);
    }
    if (!end) {
      return;
    }
  }
}

void cgroup_limit(const char *path, long bytes) {
  char text[32];
  snprintf(text, sizeof text, "%ld", bytes);
  cgroup_write(path, "memory.max", text);
}

void cgroup_join(const char *path) {
  cgroup_write(path, "cgroup.procs", "0");
}

void cgroup_remove(const char *path) {
  char name[PATH_BYTES];
  full_path(name, path, "");
  while (rmdir(name) < 0) {
    if (errno != EBUSY) {
      die("cannot remove cgroup %s", name);
    }
    breathe();
  }
}

unsigned long cgroup_inode(const char *path) {
  char name[PATH_BYTES];
  full_path(name, path, "");
  struct stat status;
  if (stat(name, &status) < 0) {
    die("cannot stat cgroup %s", name);
  }
  return status.st_ino;
}
