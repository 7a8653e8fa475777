#!/bin/bash
# Runs within the VM, as bed.service: ends services and processes in every way while the trace, the journal and systemd
# are recorded as the agent reads them, and writes the recording, a tar archive, to the only disk.
#
# The recording has, in truth.tsv, a line for each end: unit or pid, cause, executable of the sender, and how the name of
# a function on the kernel's path ends; "-" stands for none.
set -u
disk=/dev/nvme0n1
out=/run/recording
trace=/sys/kernel/tracing
instance=$trace/instances/recording
mkdir -p "$out/events/signal/signal_generate" "$out/events/ftrace/kernel_stack" "$out/proc"

say() {
  echo "$(cut -d' ' -f1 /proc/uptime) $*"
}

# What the agent reads of a process.
keep() {
  mkdir -p "$out/proc/$1"
  for file in cgroup comm stat status loginuid cmdline; do
    cat "/proc/$1/$file" >"$out/proc/$1/$file" 2>/dev/null
  done
  readlink "/proc/$1/exe" >"$out/proc/$1/exe"
}

# truth SUBJECT CAUSE SENDER FUNCTION
truth() {
  (IFS=$'\t'; echo "$*") >>"$out/truth.tsv"
}

path_of() {
  echo "/org/freedesktop/systemd1/unit/$(basename "$1" .service)_2eservice"
}

# Waits until systemd has seen the end of the unit's main process, and keeps what D-Bus says of it.
ended() {
  local unit=$1.service
  local deadline=$((SECONDS + 150))
  until [[ $(systemctl show -P ActiveState "$unit") == @(inactive|failed) ]]; do
    if ((SECONDS > deadline)); then
      say "$unit did not end"
      systemctl kill -s KILL "$unit"
      journalctl --no-pager -o cat -n 20
      break
    fi
    sleep 0.2
  done
  {
    echo "$unit"
    busctl --json=short get-property org.freedesktop.systemd1 "$(path_of "$unit")" org.freedesktop.systemd1.Service \
      Result ExecMainPID ExecMainCode ExecMainStatus ExecMainStartTimestamp ExecMainExitTimestamp
    busctl --json=short get-property org.freedesktop.systemd1 "$(path_of "$unit")" org.freedesktop.systemd1.Unit \
      PartOf BindsTo Requires
  } | tr '\n' '\t' >>"$out/units.tsv"
  echo >>"$out/units.tsv"
  say "$(systemctl show -p Id -p Result -p ExecMainCode -p ExecMainStatus "$unit" | tr '\n' ' ')"
}

main_pid() {
  systemctl show -P MainPID "$1.service"
}

# cause NAME CAUSE SENDER FUNCTION: one of causes.c
cause() {
  local name=$1 victim line
  coproc SENDER { exec /bed/causes "$name"; }
  local pid=$SENDER_PID input=${SENDER[1]} output=${SENDER[0]}
  read -r -t 60 victim <&"$output"
  keep "$pid"
  keep "$victim"
  truth "$victim" "${@:2}"
  echo go >&"$input"
  read -r -t 60 line <&"$output" || say "$name: the victim $victim did not end"
  exec {input}>&-
  wait "$pid"
  say "$name $victim"
}

# ---- what is recorded

say "up: $(uname -r), systemd $(systemctl --version | head -1)"
mountpoint -q $trace || mount -t tracefs tracefs $trace
mkdir $instance
echo mono >$instance/trace_clock
echo 0 >$instance/buffer_percent
echo 256 >$instance/buffer_size_kb
echo 'sig==9 || sig==15' >$instance/events/signal/signal_generate/filter
echo 'stacktrace if sig==9' >$instance/events/signal/signal_generate/trigger
echo 1 >$instance/events/signal/signal_generate/enable
uname -r >"$out/kernel"
cat $trace/events/header_page >"$out/events/header_page"
cat $trace/events/signal/signal_generate/format >"$out/events/signal/signal_generate/format"
cat $trace/events/ftrace/kernel_stack/format >"$out/events/ftrace/kernel_stack/format"
keep 1
keep $$
systemd=$(cat "$out/proc/1/exe")
bash=$(cat "$out/proc/$$/exe")

# ---- services

systemctl start slow; sleep 0.5; systemctl stop slow
ended slow; truth slow.service SYSTEMD_STOP_TIMEOUT "$systemd" kill_something_info

systemctl start client; systemctl kill -s KILL client
ended client; truth client.service SYSTEMD_CLIENT_REQUEST "$systemd" kill_something_info

systemctl start part; sleep 0.5; systemctl stop base
ended part; truth part.service SYSTEMD_STOP_TIMEOUT "$systemd" kill_something_info

systemctl start bound; kill -9 "$(main_pid crashed)"
ended crashed; truth crashed.service HOST_PROCESS "$bash" kill_something_info
ended bound; truth bound.service SYSTEMD_DEPENDENCY - -

systemctl start starting
ended starting; truth starting.service SYSTEMD_START_TIMEOUT "$systemd" kill_something_info

systemctl start watched
ended watched; truth watched.service SYSTEMD_WATCHDOG "$systemd" kill_something_info

systemctl start greedy
ended greedy; truth greedy.service OOM_KILL - oom_kill_process

systemctl start greedychild
ended greedychild; truth greedychild.service OOM_KILL - oom_kill_process

systemctl start shot; kill -9 "$(main_pid shot)"
ended shot; truth shot.service HOST_PROCESS "$bash" kill_something_info

systemctl start swept
swept=/sys/fs/cgroup/system.slice/swept.service/cgroup.kill
if [ -e $swept ]; then # since Linux 5.14
  echo 1 >$swept
  ended swept; truth swept.service CGROUP_KILL "$bash" __cgroup_kill
fi

systemctl start filtered
ended filtered; truth filtered.service SECCOMP - -

systemctl start crashing
ended crashing; truth crashing.service CRASH - -

systemctl start says137
ended says137; truth says137.service OWN_EXIT - -

# ---- pressure killers

# Without swap there is nothing to reclaim, and systemd-oomd kills only where that was tried.
mkswap -q $disk && swapon $disk
systemctl start systemd-oomd
keep "$(main_pid systemd-oomd)"
systemctl start pressed
ended pressed; truth pressed.service PRESSURE_KILLER "$(cat "$out/proc/$(main_pid systemd-oomd)/exe")" kill_something_info
systemctl stop systemd-oomd
swapoff $disk

read -r total available < <(awk '/^MemTotal/ {t = $2} /^MemAvailable/ {print t, $2}' /proc/meminfo)
percent=$((available * 100 / total - 5))
echo "EARLYOOM_ARGS=\"-r 0 -m $percent,$percent --prefer ^tail$\"" >/etc/default/earlyoom
systemctl start earlyoom
keep "$(main_pid earlyoom)"
systemctl start large
ended large; truth large.service PRESSURE_KILLER "$(cat "$out/proc/$(main_pid earlyoom)/exe")" kill_something_info
systemctl stop earlyoom

# ---- ways of a process

cause tkill SAME_CONTAINER_PROCESS /bed/causes sys_tkill
cause pidfd SAME_CONTAINER_PROCESS /bed/causes sys_pidfd_send_signal
cause sigqueue SAME_CONTAINER_PROCESS /bed/causes do_rt_sigqueueinfo
cause threads SAME_CONTAINER_PROCESS /bed/causes kill_something_info
cause self SAME_CONTAINER_PROCESS /bed/causes sys_tgkill
cause pdeathsig PARENT_DIED - do_exit
cause pidns CONTAINER_INIT_DIED - zap_pid_ns_processes
cause rlimit CPU_LIMIT - -
cause exitkill TRACER_DIED - exit_ptrace
cause timer UNKNOWN - posix_timer_fn

# ---- the recording

echo 0 >$instance/events/signal/signal_generate/enable
fields=MESSAGE,MESSAGE_ID,UNIT,INVOCATION_ID,EXIT_CODE,EXIT_STATUS,UNIT_RESULT,JOB_TYPE,JOB_ID,_PID,_TRANSPORT
journalctl --output=json --no-pager --output-fields=$fields _PID=1 >"$out/journal.jsonl"
journalctl --output=json --no-pager --output-fields=MESSAGE,_PID,_COMM,_EXE \
  _COMM=systemd-oomd + _COMM=earlyoom >"$out/killers.jsonl"
dd if=/dev/kmsg of="$out/kmsg" bs=8192 iflag=nonblock 2>/dev/null
cat $instance/trace >"$out/trace.txt"
# The functions of the stacks, each with the next function, from which on an address is not its own.
awk 'NR == FNR {if ($1 == "=>") named[$2]; next} {is = $3 in named && !/\[/} is || next_too; {next_too = is}' \
  "$out/trace.txt" /proc/kallsyms >"$out/proc/kallsyms"
for cpu in "$instance"/per_cpu/cpu*; do
  dd if="$cpu/trace_pipe_raw" of="$out/$(basename "$cpu").pages" bs=4096 iflag=nonblock 2>/dev/null
  cat "$cpu/stats" >"$out/$(basename "$cpu").stats"
done
cut -d' ' -f1 /proc/uptime >"$out/uptime"
tar -c -C "$out" . >$disk
sync
say "recorded"
poweroff -f
