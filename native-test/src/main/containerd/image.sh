#!/bin/sh
# Makes the image that config.toml names, from the machine's static busybox: image.sh FILE.tar
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/rootfs/bin" "$dir/rootfs/bed" "$dir/rootfs/etc" "$dir/rootfs/proc" "$dir/rootfs/dev" "$dir/rootfs/sys"
cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
for applet in sh sleep tail dd; do
  ln -s busybox "$dir/rootfs/bin/$applet"
done
tar -C "$dir/rootfs" -cf "$dir/layer.tar" .

case $(uname -m) in
  aarch64) arch=arm64 ;;
  *) arch=amd64 ;;
esac
digest=$(sha256sum "$dir/layer.tar")
# It waits, so that it serves as the pause container, too.
cat > "$dir/config.json" <<END
{"architecture": "$arch", "os": "linux", "config": {"Cmd": ["/bin/sleep", "1000000"]},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:${digest%% *}"]}}
END
cat > "$dir/manifest.json" <<END
[{"Config": "config.json", "RepoTags": ["exit137.test/busybox:1"], "Layers": ["layer.tar"]}]
END
tar -C "$dir" -cf "$1" manifest.json config.json layer.tar
