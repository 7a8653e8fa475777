#include "bed.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define RECORDS_PER_BREATH 16

void flood(int records, bool pauses) {
  int kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
  for (int i = 1; i <= records; i++) {
    char line[128];
    int length =
        snprintf(line, sizeof line, "<6>exit137-bed flood %d of %d, as long as a report's lines\n", i, records);
    if (kmsg < 0 || write(kmsg, line, (size_t)length) < 0) {
      die("cannot write /dev/kmsg");
    }
    if (pauses && i % RECORDS_PER_BREATH == 0) {
      breathe();
    }
  }
  close(kmsg);
}
