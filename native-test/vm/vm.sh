#!/usr/bin/env bash
# Boots Debian nodes in QEMU; README.md says what for. Everything is made below target/vm, and kept there.
#
# vm.sh record KERNEL OUT  boots a node with the newest kernel of that version (5.10, 6.1, 6.12), ends services and
#                          processes on it in every way, and unpacks what was recorded into the directory OUT
# vm.sh keep KERNEL OUT    makes OUT the recording of that version that make check replays
# vm.sh arm64 DIST         boots an arm64 node, and lets the agent of the distribution DIST tell two kills there
set -euo pipefail
shopt -s inherit_errexit

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
work=$here/../../target/vm
mkdir -p "$work"
work=$(readlink -f "$work")
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
security=${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
  echo "exit137: vm: $*" >&2
  exit 1
}

[ "$(id -u)" = 0 ] || fail "run it as root: the nodes' root file systems have files of many users"

# sources SUITE...
sources() {
  local suite
  for suite in "$@"; do
    echo "deb [signed-by=$keyring] $mirror $suite main"
    echo "deb [signed-by=$keyring] $security $suite-security main"
  done
}

# Prints the path of the newest kernel whose package has a matching name: kernel ARCH SUITE PATTERN. The machine's own apt
# is not touched.
kernel() {
  local arch=$1 suite=$2 pattern=$3
  local apt=$work/apt-$suite-$arch
  local unpacked=$work/kernel-$suite-$arch
  if [ ! -e "$unpacked/done" ]; then
    rm -rf "$unpacked"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$unpacked"
    : >"$apt/status"
    sources "$suite" >"$apt/sources.list"
    cat >"$apt/apt.conf" <<EOF
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::State::lists "$apt/lists";
Dir::Cache "$apt/cache";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
EOF
    export APT_CONFIG=$apt/apt.conf
    apt-get -qq update >&2
    local package
    package=$(apt-cache pkgnames linux-image- | grep -E "$pattern" | sort -V | tail -1) || true
    [ -n "$package" ] || fail "$mirror has no kernel package $pattern in $suite"
    echo "exit137: vm: apt-get download $package" >&2
    (cd "$apt" && apt-get -qq download "$package" && dpkg-deb -x linux-image-*.deb "$unpacked" && rm linux-image-*.deb)
    unset APT_CONFIG
    touch "$unpacked/done"
  fi
  echo "$unpacked"/boot/vmlinuz-*
}

# Makes an archive for the kernel's initial file system: pack DIRECTORY FILE
pack() {
  (cd "$1" && find . | busybox cpio -o -H newc 2>/dev/null) >"$2.new"
  mv "$2.new" "$2"
}

# Prints the file with a root file system: root NAME VARIANT ARCH SUITE PACKAGES
root() {
  local image=$work/root-$1.cpio
  if [ ! -e "$image" ]; then
    echo "exit137: vm: mmdebstrap $4 ($3) with $5" >&2
    local tree=$work/root-$1
    rm -rf "$tree"
    sources "$4" | mmdebstrap --quiet --mode=root --variant="$2" --architectures="$3" --include="$5" \
      --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
      --dpkgopt='path-exclude=/usr/share/locale/*' "$4" "$tree" - >&2
    # The scenario starts them.
    rm -f "$tree"/etc/systemd/system/*.wants/{earlyoom,systemd-oomd}.service
    rm -rf "$tree"/var/{cache,lib}/apt "$tree"/usr/share/{doc,man,locale,zoneinfo}
    echo 11111111111111111111111111111111 >"$tree/etc/machine-id"
    echo node >"$tree/etc/hostname"
    # A root that is only unpacked has no users yet; systemd-sysusers adds the others.
    [ -e "$tree/etc/passwd" ] || cp "$tree/usr/share/base-passwd/passwd.master" "$tree/etc/passwd"
    [ -e "$tree/etc/group" ] || cp "$tree/usr/share/base-passwd/group.master" "$tree/etc/group"
    ln -sf usr/lib/systemd/systemd "$tree/init"
    pack "$tree" "$image"
    rm -rf "$tree"
  fi
  echo "$image"
}

# Units that a node in a box has no use for, and that take seconds where each instruction is translated.
masked() {
  printf 'systemd.mask=%s ' systemd-udevd.service systemd-udev-trigger.service systemd-udevd-kernel.socket \
    systemd-udevd-control.socket systemd-random-seed.service systemd-update-utmp.service kmod-static-nodes.service \
    modprobe@.service systemd-modules-load.service systemd-timesyncd.service systemd-resolved.service \
    systemd-networkd.service systemd-hwdb-update.service systemd-remount-fs.service ldconfig.service
}

# boot NAME MIB KERNEL ROOT QEMU...: boots the root file system with the directory target/vm/run-NAME/bed on top of it,
# and unpacks into run-NAME/out what it has written to its disk.
boot() {
  local run=$work/run-$1 memory=$2 image=$3 root=$4
  shift 4
  mkdir -p "$run/bed/etc/systemd/system" "$run/bed/etc/systemd/journald.conf.d" "$run/out"
  cp "$here"/units/* "$run/bed/etc/systemd/system"
  # What is taken from the kernel's log must not be read twice.
  printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\n' \
    >"$run/bed/etc/systemd/journald.conf.d/bed.conf"
  pack "$run/bed" "$run/bed.cpio"
  # The kernel unpacks one archive after the other.
  cat "$root" "$run/bed.cpio" >"$run/initrd"
  truncate -s 256M "$run/disk"
  echo "exit137: vm: boots $(basename "$image")" >&2
  timeout "${VM_SECONDS:-1800}" "$@" -smp 2 -m "$memory" -nodefaults -no-user-config -nographic -no-reboot -serial stdio \
    -kernel "$image" -initrd "$run/initrd" \
    -drive "if=none,id=disk,format=raw,cache=unsafe,file=$run/disk" -device nvme,drive=disk,serial=disk \
    </dev/null 2>&1 | tee "$run/console" >&2 || fail "QEMU failed; see $run/console"
  tar -xf "$run/disk" -C "$run/out" || fail "nothing came out of the VM; see $run/console"
  rm "$run/initrd" "$run/disk"
}

# Prints the kernel's arguments: arguments CONSOLE
arguments() {
  echo "console=$1 quiet loglevel=3 psi=1 nokaslr log_buf_len=4M printk.devkmsg=on panic=-1 rcupdate.rcu_expedited=1" \
    "random.trust_cpu=1 systemd.unified_cgroup_hierarchy=1 systemd.show_status=0 systemd.unit=bed.service $(masked)"
}

record() {
  local version=$1 out=$2
  local suite
  case $version in
    5.10) suite=bullseye ;;
    6.1) suite=bookworm ;;
    6.12) suite=trixie ;;
    *) fail "no kernel $version: choose 5.10, 6.1 or 6.12" ;;
  esac
  local image node
  image=$(kernel amd64 $suite "^linux-image-${version/./\\.}\\.[0-9].*-cloud-amd64\$")
  node=$(root node minbase amd64 bookworm systemd,systemd-sysv,dbus,systemd-oomd,earlyoom,procps,util-linux)
  local run=$work/run-$version
  rm -rf "$run" "$out"
  mkdir -p "$run/bed/bed" "$run/bed/etc/systemd/oomd.conf.d"
  gcc -O1 -Wall -Wextra -Werror -static -o "$run/bed/bed/causes" "$here/causes.c"
  cp "$here"/{deaf,press,large} "$run/bed/bed"
  cp "$here/scenarios.sh" "$run/bed/bed/main.sh"
  printf '[OOM]\nDefaultMemoryPressureDurationSec=2s\n' >"$run/bed/etc/systemd/oomd.conf.d/bed.conf"
  boot "$version" 2048 "$image" "$node" qemu-system-x86_64 -M q35,hpet=off -accel tcg,thread=multi,tb-size=512 \
    -cpu max,la57=off -append "$(arguments ttyS0) mitigations=off tsc=reliable clocksource=tsc"
  mv "$run/out" "$out"
}

arm64() {
  local dist=$1
  [ -d "$dist/lib" ] || fail "no $dist/lib: run make build first"
  local image node
  image=$(kernel arm64 trixie '^linux-image-6\.12\.[0-9].*-cloud-arm64$')
  # Unpacked and not installed: nothing here runs its scripts.
  node=$(root arm64 extract arm64 trixie "$(tr -d ' \n' <<<'systemd,systemd-sysv,dbus,base-files,base-passwd,bash,dash,
    coreutils,util-linux,mount,grep,sed,tar,libc-bin,openjdk-25-jre-headless')")
  local run=$work/run-arm64
  rm -rf "$run"
  mkdir -p "$run/bed/bed" "$run/bed/exit137"
  cp "$here"/{deaf,press,large} "$run/bed/bed"
  cp "$here/arm64.sh" "$run/bed/bed/main.sh"
  cp -r "$dist/lib" "$here/../../bin" "$run/bed/exit137"
  # cortex-a72 and not max: QEMU computes pointer authentication slowly.
  boot arm64 3072 "$image" "$node" qemu-system-aarch64 -M virt -accel tcg,thread=multi,tb-size=512 -cpu cortex-a72 \
    -append "$(arguments ttyAMA0)"
  local end
  for end in '"unit":"shot.service".*"cause":"HOST_PROCESS".*"exe":"/usr/bin/bash".*"__arm64_sys_kill"' \
    '"unit":"greedy.service".*"cause":"OOM_KILL".*"oom_kill_process"'; do
    grep -q "$end" "$run/out/ends" || fail "the agent on arm64 did not tell $end; see $run/out"
  done
}

# Replaces the recording that `make check` replays.
keep() {
  local archive=$here/../../agent/src/test/resources/vm/linux-$1.zip
  mkdir -p "$(dirname "$archive")"
  "$("$here/../../bin/find-java" --jdk)/bin/jar" --create --no-manifest --file "$archive" -C "$2" .
  echo "exit137: vm: kept $(du -k "$archive" | cut -f1) KiB of Linux $(cat "$2/kernel")" >&2
}

case ${1:-} in
  keep) keep "$2" "$3" ;;
  record) record "$2" "$3" ;;
  arm64) arm64 "$2" ;;
  *) fail "usage: vm.sh record KERNEL OUT | keep KERNEL OUT | arm64 DIST" ;;
esac
