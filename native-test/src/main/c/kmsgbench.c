// What `make bench` compares the agent's reader with: a loop of read() and memmem() on /dev/kmsg.
//
//   kmsgbench read       for each line on the standard input: one pass over the ring, from its first record to EAGAIN.
//                        Answers with the records, those with "Killed process" in them, and the nanoseconds it took.
//   kmsgbench fill MAX   makes the kernel print, until the ring has begun to overwrite or MAX records are in it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void die(const char *what) {
  fprintf(stderr, "kmsgbench: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int open_kmsg(void) {
  int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (kmsg < 0) {
    die("/dev/kmsg");
  }
  return kmsg;
}

static long nanos(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000L + now.tv_nsec;
}

static void pass(void) {
  static const char word[] = "Killed process";
  char record[16 * 1024];
  long records = 0;
  long kills = 0;
  int kmsg = open_kmsg();
  long start = nanos();
  for (;;) {
    ssize_t length = read(kmsg, record, sizeof record);
    if (length < 0 && errno == EPIPE) {
      continue;
    }
    if (length < 0 && errno == EAGAIN) {
      break;
    }
    if (length < 0) {
      die("read");
    }
    records++;
    kills += memmem(record, (size_t)length, word, sizeof word - 1) != NULL;
  }
  printf("%ld %ld %ld\n", records, kills, nanos() - start);
  fflush(stdout);
  close(kmsg);
}

static long first_sequence(void) {
  char record[16 * 1024];
  long sequence;
  int kmsg = open_kmsg();
  ssize_t length;
  do {
    length = read(kmsg, record, sizeof record - 1);
  } while (length < 0 && errno == EPIPE);
  if (length < 0) {
    die("read");
  }
  close(kmsg);
  record[length] = 0;
  if (sscanf(record, "%*d,%ld,", &sequence) != 1) {
    sequence = 0;
  }
  return sequence;
}

// "lo: entered promiscuous mode": harmless, not rate-limited, and the kernel's own word, which nobody can write to
// /dev/kmsg.
static void fill(long max) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq interface = {.ifr_name = "lo"};
  if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &interface) < 0) {
    die("lo");
  }
  for (long i = 0; i < max && first_sequence() == 0; i += 100) {
    for (int toggle = 0; toggle < 100; toggle++) {
      interface.ifr_flags ^= IFF_PROMISC;
      if (ioctl(fd, SIOCSIFFLAGS, &interface) < 0) {
        die("lo");
      }
    }
  }
}

int main(int count, char **arguments) {
  if (count == 2 && strcmp(arguments[1], "read") == 0) {
    while (getchar() != EOF) {
      pass();
    }
    return 0;
  }
  if (count == 3 && strcmp(arguments[1], "fill") == 0) {
    fill(atol(arguments[2]));
    return 0;
  }
  fprintf(stderr, "usage: kmsgbench read | fill MAX\n");
  return 2;
}
