#!/bin/bash
# bed.sh DIRECTORY PATH...: the machine's own systemd a second time, as process 1 of namespaces of its own, until it or
# this script ends. Its root is the machine's, with changes in memory; each PATH is there, too, if it is another mount. It
# loads the units beside this script, and no generator runs. The kernel, and so its trace and its log, is the machine's.
# DIRECTORY/pid is the pid of systemd out here. Exit status 3 and a line on stderr: it cannot run here.
set -eu

units=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/units
directory=$(readlink -f "$1")
shift
name=exit137-bed-$$

cannot() {
  echo "$1" >&2
  exit 3
}

[ "$(id -u)" -eq 0 ] || cannot "not root"
for program in systemd systemd-journald; do
  [ -x "/lib/systemd/$program" ] || cannot "no /lib/systemd/$program: install the package systemd"
done
for program in dbus-daemon systemctl journalctl unshare; do
  command -v "$program" >/dev/null || cannot "no $program: install the packages dbus-daemon, systemd and util-linux"
done

# A cgroup of its own in each hierarchy that systemd uses, so that the namespace has it as its root.
hierarchies=()
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  hierarchies=(.)
else
  for hierarchy in systemd memory pids devices blkio unified; do
    if [ -d "/sys/fs/cgroup/$hierarchy" ]; then hierarchies+=("$hierarchy"); fi
  done
  [ -d /sys/fs/cgroup/systemd ] || cannot "no cgroup hierarchy name=systemd"
fi
remove() {
  local hierarchy tries
  for hierarchy in "${hierarchies[@]}"; do
    # The last processes are on their way out.
    for tries in {1..50}; do
      find "/sys/fs/cgroup/$hierarchy/$name" -depth -type d -exec rmdir {} + 2>/dev/null || true
      if [ ! -d "/sys/fs/cgroup/$hierarchy/$name" ]; then break; fi
      sleep 0.1
    done
  done
}
trap remove EXIT
for hierarchy in "${hierarchies[@]}"; do
  mkdir "/sys/fs/cgroup/$hierarchy/$name" 2>/dev/null || cannot "no cgroup can be made in /sys/fs/cgroup/$hierarchy"
done

# shellcheck disable=SC2016 # For the shell inside.
inside='
set -eu
directory=$1 units=$2 hierarchies=$3
shift 3
mount -t tmpfs exit137-bed "$directory/root"
root=$directory/root/merged
mkdir "$directory/root/upper" "$directory/root/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$directory/root/upper,workdir=$directory/root/work" "$root" || exit 3
for path in "$@"; do
  [ -d "$root$path" ] || mkdir -p "$root$path"
  mount --bind "$path" "$root$path"
done
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs run "$root/run"
if [ "$hierarchies" = . ]; then
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
  mount -t tmpfs cgroup "$root/sys/fs/cgroup"
  for hierarchy in $hierarchies; do
    mkdir "$root/sys/fs/cgroup/$hierarchy"
    case $hierarchy in
      systemd) mount -t cgroup systemd -o none,name=systemd "$root/sys/fs/cgroup/systemd" ;;
      unified) mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified" ;;
      *) mount -t cgroup "$hierarchy" -o "$hierarchy" "$root/sys/fs/cgroup/$hierarchy" ;;
    esac
  done
fi
mount -t tmpfs dev "$root/dev"
for node in null zero full random urandom tty; do
  mknod -m 666 "$root/dev/$node" c $(stat -c "0x%t 0x%T" "/dev/$node")
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
# With this directory journald would write to the disk.
rm -rf "$root/var/log/journal"
[ -s "$root/etc/machine-id" ] || tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
mkdir -p "$root/run/bed"
cp -r "$units" "$root/run/bed/"
hostname bed
ip link set lo up 2>/dev/null || true
# The kernel must show the path of its executable as that of any systemd, so its root is a real one.
cd "$root"
pivot_root . .
umount -l .
exec env -i container=exit137-bed PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH=/run/bed/units \
  /lib/systemd/systemd --system --unit=bed.target --log-level=info --log-target=journal --show-status=false </dev/null
'
mkdir -p "$directory/root"
for hierarchy in "${hierarchies[@]}"; do echo $BASHPID >"/sys/fs/cgroup/$hierarchy/$name/cgroup.procs"; done
unshare --cgroup --mount --uts --ipc --net --pid --fork --kill-child=KILL --propagation private \
  bash -c "$inside" bed "$directory" "$units" "${hierarchies[*]}" "$@" &
child=$!
for hierarchy in "${hierarchies[@]}"; do echo $BASHPID >"/sys/fs/cgroup/$hierarchy/cgroup.procs"; done
trap 'kill -KILL $child 2>/dev/null; wait $child || true; remove' EXIT
trap 'exit 143' TERM INT
until pid=$(cat "/proc/$child/task/$child/children") && [ -n "$pid" ]; do
  kill -0 $child 2>/dev/null || break
  sleep 0.05
done
echo "${pid% }" >"$directory/pid"
wait $child
