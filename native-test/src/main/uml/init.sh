#!/bin/sh
# PID 1 of the test node: mounts what a node has, runs one plan (main.sh, global.sh) and powers off. Everything that the
# tests look at is left in the host directory BED_OUT. The kernel hands over its unknown command line words as
# environment: BED_REPO, BED_TOOLS, BED_OUT, BED_PLAN, JAVA_HOME.
#
# This must not be busybox sh: before /proc is mounted the root's own /proc shows the host, and its applets are started
# through /proc/self/exe, which there is the User Mode Linux binary.

export PATH=/usr/sbin:/usr/bin:/sbin:/bin
trap 'sync; busybox poweroff -f' EXIT

mount -t proc none /proc
mount -t sysfs none /sys
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs none /run
mkdir /run/out /run/tmp
mount -t hostfs -o "$BED_OUT" none /run/out
busybox ifconfig lo 127.0.0.1 up

# The root is read-only: whatever unpacks a native library or wants a temporary file finds a place here.
export HOME=/run TMPDIR=/run/tmp
export EXIT137_JAVA_OPTS='-Djava.io.tmpdir=/run/tmp -Djffi.extract.dir=/run/tmp -XX:-UsePerfData'
out=/run/out
server=127.0.0.1:9137
nodes=/run/nodes.json
settled=/run/settled
agent_starts=0
# Not a function: of a function in the background, $! is a shell, and the agent would outlive being killed.
exit137=$BED_REPO/bin/exit137

say() {
  echo "$(cut -d' ' -f1 /proc/uptime) $*" >> $out/plan.log
}

# await SECONDS COMMAND...: runs it until it is true; false when it never was.
await() {
  deadline=$(($(cut -d. -f1 /proc/uptime) + $1))
  shift
  until "$@"; do
    if [ "$(cut -d. -f1 /proc/uptime)" -ge $deadline ]; then
      say "gave up: $*"
      return 1
    fi
    busybox usleep 200000
  done
}

# For what the rest of the plan cannot do without.
require() {
  await "$@" || { echo "the bed waited $1 s in vain for: $*" | tr '\n' ' ' >> $out/failure; exit 1; }
}

scenario() {
  say "scenario $1"
  "$BED_TOOLS/scenario" "$1" $out/truth.jsonl 2>> $out/plan.log || say "scenario $1 failed"
}

start_aggregator() {
  "$exit137" aggregator --listen $server --data-dir /run/aggregator >> $out/aggregator.log 2>&1 &
  require 180 is_listening
  "$JAVA_HOME/bin/java" $EXIT137_JAVA_OPTS --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow \
    -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -cp "$BED_REPO/cli/target/dist/lib/*:$BED_REPO/native-test/target/test-classes" \
    dev.exit137.nativetest.NodesFile $server $nodes $settled 2>> $out/plan.log &
}

is_listening() {
  grep -qs ':23B1 .* 0A ' /proc/net/tcp /proc/net/tcp6
}

# From the beginning of time, so that nothing depends on who is up first: the aggregator or this.
start_watch() {
  "$exit137" watch -o json --from 1970-01-01T00:00:00Z --server $server > $out/events.jsonl 2> $out/watch.log &
}

start_agent() {
  "$exit137" agent --aggregator $server --node-name uml --state-dir /run/agent >> $out/agent.log 2>&1 &
  agent_pid=$!
  agent_starts=$((agent_starts + 1))
  await 180 is_watching
}

is_watching() {
  [ "$(grep -c 'agent watches' $out/agent.log)" -eq $agent_starts ]
}

# The agent has told of every kill that the kernel counts so far, the aggregator has acknowledged it, and the consumer has
# what was stored last, and so all.
is_settled() {
  read -r told newest < $settled || return 1
  [ "$told" = "$(sed -n 's/^oom_kill //p' /proc/vmstat)" ] && { [ -z "$newest" ] || grep -qF "$newest" $out/events.jsonl; }
}

# settle NAME: what the agent says of itself after the scenario, whether it came to rest or not.
settle() {
  await 90 is_settled
  cp $nodes "$out/nodes-$1.json"
}

"$BED_TOOLS/kmsgtail" $out/kmsg.log &
. "$BED_REPO/native-test/src/main/uml/$BED_PLAN.sh"
say "done"
: > $out/done
