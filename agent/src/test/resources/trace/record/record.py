#!/usr/bin/env python3
"""Records the kernel's trace of the signals of one scenario: raw pages of one processor's trace_pipe_raw.

usage: record.py TRACEFS OUTDIR PROGRAM SCENARIO...   (as root; PROGRAM SCENARIO sends the signals)
"""
import os, struct, subprocess, sys, time

tracefs, out, program = sys.argv[1:4]
CPU = 1


def write(file, text):
    with open(file, "w") as f:
        f.write(text)


def record(scenario):
    inst = f"{tracefs}/instances/record-{os.getpid()}"
    os.mkdir(inst)
    try:
        write(inst + "/trace_clock", "mono")
        write(inst + "/buffer_percent", "0")
        write(inst + "/buffer_size_kb", "64")
        event = inst + "/events/signal/signal_generate/"
        # An interrupt is no process of the scenario: its signals are told by the victim's name.
        by_pid = scenario != "timer"
        write(event + "filter", "sig==9 || sig==15" if by_pid else 'comm ~ "v-*"')
        write(event + "trigger", "stacktrace if sig==9" if by_pid else 'stacktrace if comm ~ "v-*"')
        write(inst + "/options/event-fork", "1")

        def child():
            os.sched_setaffinity(0, {CPU})
            if by_pid:
                write(inst + "/set_event_pid", str(os.getpid()))
            write(event + "enable", "1")
        text = subprocess.run([program, scenario], preexec_fn=child, stdout=subprocess.PIPE, text=True).stdout
        time.sleep(0.2)
        write(event + "enable", "0")
        fd = os.open(f"{inst}/per_cpu/cpu{CPU}/trace_pipe_raw", os.O_RDONLY | os.O_NONBLOCK)
        pages = []
        try:
            while True:
                page = os.read(fd, 4096)
                if not page:
                    break
                pages.append(page)
        except BlockingIOError:
            pass
        os.close(fd)
        stray = [c for c in os.listdir(inst + "/per_cpu") if c != f"cpu{CPU}"
                 and "entries: 0" not in open(f"{inst}/per_cpu/{c}/stats").read()]
        print(scenario, len(pages), "pages", stray, text.strip().replace("\n", " | "))
        with open(f"{out}/{scenario}.pages", "wb") as f:
            f.write(b"".join(pages))
        return pages
    finally:
        os.rmdir(inst)


def stacks(page):
    commit = struct.unpack_from("<q", page, 8)[0] & 0xfffff
    at, end = 16, 16 + commit
    while at < end:
        head = struct.unpack_from("<I", page, at)[0]
        at += 4
        kind = head & 31
        if kind == 29:
            if head >> 5 == 0:
                return
            at += struct.unpack_from("<I", page, at)[0]
        elif kind >= 30:
            at += 4
        else:
            size = kind * 4
            if kind == 0:
                size = struct.unpack_from("<I", page, at)[0]
            data = page[at + (4 if kind == 0 else 0):at + size]
            at += size
            if struct.unpack_from("<H", data)[0] == 4:
                yield from struct.unpack_from(f"<{struct.unpack_from('<i', data, 8)[0]}Q", data, 16)


addresses = set()
for scenario in sys.argv[4:]:
    for page in record(scenario):
        addresses.update(stacks(page))
symbols = []
for line in open("/proc/kallsyms"):
    address, kind, name = line.split()[:3]
    if kind in "tTwW":
        symbols.append((int(address, 16), kind, line.strip().split(None, 2)[2]))
symbols.sort(key=lambda s: s[0])
needed = set()
for a in addresses:
    i = max(n for n, s in enumerate(symbols) if s[0] <= a)
    while i and symbols[i - 1][0] == symbols[i][0]:
        i -= 1
    j = i
    while symbols[j][0] == symbols[i][0]:
        j += 1
    needed.update(range(i, j + 1))
with open(out + "/kallsyms", "w") as f:
    for n in sorted(needed):
        f.write("%016x %s %s\n" % symbols[n])
with open(out + "/signal_generate.format", "w") as f:
    f.write(open(tracefs + "/events/signal/signal_generate/format").read())
with open(out + "/kernel_stack.format", "w") as f:
    f.write(open(tracefs + "/events/ftrace/kernel_stack/format").read())
with open(out + "/header_page", "w") as f:
    f.write(open(tracefs + "/events/header_page").read())
