#!/bin/bash
# Runs within the arm64 VM, as bed.service: starts the agent with an aggregator, kills a service and has the kernel
# kill another for memory, and writes what was told of them to the only disk.
set -u
out=/run/told
mkdir -p "$out"

say() {
  echo "$(cut -d' ' -f1 /proc/uptime) $*"
}

main_pid() {
  systemctl show -P MainPID "$1.service"
}

# The agent's own answer; no curl is here.
is_ready() {
  exec {http}<>/dev/tcp/127.0.0.1/9138 || return 1
  printf 'GET /readyz HTTP/1.0\r\n\r\n' >&$http
  local status
  read -r -t 30 status <&$http
  exec {http}>&-
  [[ $status == *" 200 "* ]]
} 2>/dev/null

# Writes out what was told, and ends the machine.
finish() {
  cat "$out"/*
  tar -c -C "$out" . >/dev/nvme0n1
  sync
  poweroff -f
}

# until_or_late SECONDS COMMAND...
until_or_late() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    if ((SECONDS > deadline)) || ! kill -0 "$agent"; then
      say "not in time: $*"
      finish
    fi
    sleep 1
  done
}

# A client gives up after 30 s of silence, in which the server may still load its classes here: it is started again.
watcher=
told() {
  if [ -z "$watcher" ] || ! kill -0 "$watcher" 2>/dev/null; then
    /exit137/bin/exit137 watch --kind exit -o json --from 2000-01-01T00:00:00Z >>"$out/ends" 2>>"$out/log" &
    watcher=$!
  fi
  grep -q '"shot.service"' "$out/ends" && grep -q '"greedy.service"' "$out/ends"
}

say "up: $(uname -rm)"
/exit137/bin/exit137 run --http-listen 127.0.0.1:9138 >"$out/events" 2>"$out/log" &
agent=$!
until_or_late 900 is_ready
until_or_late 300 grep -q 'systemd answers' "$out/log"
say "the agent is ready"
systemctl start shot
kill -9 "$(main_pid shot)"
systemctl start greedy
until_or_late 120 grep -q 'greedy.service' "$out/events"
say "the agent told the OOM kill"
until_or_late 600 told
say "the aggregator told both ends"
finish
