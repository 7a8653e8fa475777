// kmsgtail FILE: appends every record of /dev/kmsg to FILE as it was read. The tests' own account of the kernel's log,
// independent of the agent.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **arguments) {
  if (count != 2) {
    fprintf(stderr, "usage: kmsgtail FILE\n");
    return 2;
  }
  int kmsg = open("/dev/kmsg", O_RDONLY | O_CLOEXEC);
  int out = open(arguments[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (kmsg < 0 || out < 0) {
    perror("kmsgtail");
    return 1;
  }
  char record[16 * 1024];
  for (;;) {
    ssize_t length = read(kmsg, record, sizeof record);
    if (length < 0 && errno == EPIPE) {
      length = sprintf(record, "# records were overwritten before they were read\n");
    }
    if (length < 0 || write(out, record, (size_t)length) != length) {
      perror("kmsgtail");
      return 1;
    }
  }
}
