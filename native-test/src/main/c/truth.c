#include "bed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static FILE *out;
static const char *scenario_name;
static long kills_before;

void die(const char *format, ...) {
  int error = errno;
  fputs("scenario: ", stderr);
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fprintf(stderr, ": %s\n", strerror(error));
  _exit(1);
}

void breathe(void) {
  nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static long vmstat_oom_kill(void) {
  FILE *file = fopen("/proc/vmstat", "re");
  char line[128];
  long value = -1;
  while (file && fgets(line, sizeof line, file)) {
    sscanf(line, "oom_kill %ld", &value);
  }
  if (value < 0) {
    die("no oom_kill in /proc/vmstat");
  }
  fclose(file);
  return value;
}

static void print_json_string(const char *text) {
  putc('"', out);
  for (const unsigned char *byte = (const unsigned char *)text; *byte; byte++) {
    if (*byte < 0x20 || *byte == '"' || *byte == '\\') {
      fprintf(out, "\\u%04x", *byte);
    } else {
      putc(*byte, out);
    }
  }
  putc('"', out);
}

// Into the kernel's log, where it parts this scenario's records from the others'.
static void mark(const char *what) {
  FILE *kmsg = fopen("/dev/kmsg", "we");
  if (!kmsg || fprintf(kmsg, "<6>exit137-bed %s %s\n", scenario_name, what) < 0 || fclose(kmsg) != 0) {
    die("cannot write /dev/kmsg");
  }
}

void truth_begin(const char *file, const char *scenario) {
  out = fopen(file, "ae");
  if (!out) {
    die("cannot open %s", file);
  }
  scenario_name = scenario;
  kills_before = vmstat_oom_kill();
  mark("begins");
}

void truth_process(const char *cgroup, unsigned long inode, pid_t pid, const char *comm, enum death death) {
  static const char *const words[] = {"oom", "oom-one-of", "other"};
  fprintf(out, "{\"scenario\":\"%s\",\"cgroup\":\"%s\",\"inode\":%lu,\"pid\":%d,\"comm\":", scenario_name, cgroup,
          inode, pid);
  print_json_string(comm);
  fprintf(out, ",\"death\":\"%s\"}\n", words[death]);
}

void truth_end(void) {
  long kills = vmstat_oom_kill();
  mark("ends");
  fprintf(out, "{\"scenario\":\"%s\",\"vmstatGrowth\":%ld,\"vmstatOomKill\":%ld}\n", scenario_name,
          kills - kills_before, kills);
  if (fclose(out) != 0) {
    die("cannot write the truth");
  }
}
