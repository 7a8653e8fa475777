#!/bin/bash
# Builds the repository's Dockerfile with buildah, without a network: build.sh REPOSITORY FILE.tar
# The images that it starts from are made of what this machine has, under their names: the first of its JDK and its
# Maven, the second of its glibc.
set -eu

repository=$1
archive=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export JAVA_HOME=$("$repository/bin/find-java" --jdk)

buildah() {
  command buildah --root "$work/images" --runroot "$work/run" --storage-driver vfs "$@"
}
# base NAME: the image of $work/rootfs
base() {
  printf 'FROM scratch\nADD . /\nENV JAVA_HOME=%s\n' "$JAVA_HOME" >"$work/Base"
  buildah build -q --isolation chroot -f "$work/Base" -t "$1" "$work/rootfs"
  rm -rf "$work/rootfs"
}

# The programs are mounted below.
mkdir -p "$work"/rootfs/{etc,usr,root,m2,tmp,src}
ln -s usr/bin usr/lib usr/lib64 "$work/rootfs"
for directory in /etc/alternatives /etc/maven /etc/java* /etc/ssl; do
  if [ -d "$directory" ]; then cp -R "$directory" "$work/rootfs/etc"; fi
done
sed -i 's#<settings [^>]*>#&<offline>true</offline><localRepository>/m2</localRepository>#' "$work/rootfs/etc/maven/settings.xml"
base docker.io/library/maven:3-eclipse-temurin-25

mkdir -p "$work/rootfs/tmp"
dpkg -L libc6 libgcc-s1 | grep '\.so' | tar -c --no-recursion -T - | tar -x -C "$work/rootfs"
base gcr.io/distroless/cc-debian12

buildah build --isolation chroot --pull-never -t exit137:0.1.0 \
  -v /usr:/usr:ro -v "$JAVA_HOME:$JAVA_HOME:ro" -v "$HOME/.m2/repository:/m2:ro" "$repository"
buildah push -q exit137:0.1.0 "docker-archive:$archive:exit137:0.1.0"
