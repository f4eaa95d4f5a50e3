#!/usr/bin/env bash
# The folder for devices in root folders with Debian's Python and little else, on x86-64 and, emulated by qemu, on arm64;
# and the image for CPUs, built and run by podman. Debian's packages take the place of an image from a registry. All is
# laid out below .cache/device and kept; tests/device skips what this machine does not allow, and says why.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache/device
programs="qemu-aarch64-static podman runc debootstrap iptables"
packages="qemu-user-static podman runc debootstrap iptables containernetworking-plugins"

lay_out_debian() { # what Debian's image for containers is made of, and how this machine's network is trusted
    [[ -f $cache/debian.tar ]] && return
    rm -rf "$cache/debian"
    debootstrap --variant=minbase bookworm "$cache/debian" http://deb.debian.org/debian >"$cache/debootstrap.log" &&
        cp /etc/ssl/certs/ca-certificates.crt "$cache/debian/etc/this-network.crt" &&
        printf '[global]\ncert = /etc/this-network.crt\n' >"$cache/debian/etc/pip.conf" &&
        rm -rf "$cache"/debian/var/{cache/apt/archives,lib/apt/lists}/* &&
        tar -C "$cache/debian" --numeric-owner -cf "$cache/debian.partial" . &&
        rm -rf "$cache/debian" &&
        mv "$cache/debian.partial" "$cache/debian.tar"
}

mkdir -p "$cache"
# shellcheck disable=SC2086 # both are lists
[[ $(command -v $programs | wc -l) == $(wc -w <<<"$programs") ]] ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages; } >/dev/null 2>&1 ||
    echo "SKIPPED installing $packages: apt-get cannot do it here"
{ lay_out_debian || echo "SKIPPED laying out Debian: debootstrap cannot do it here (.cache/device/debootstrap.log)"; } &
# busybox is the shell of both: emulation starts no other program
tools/debian_python.sh amd64 "$cache/amd64" busybox-static && tools/debian_python.sh arm64 "$cache/arm64" ||
    echo "SKIPPED laying out roots with Python: Debian's packages cannot be had here"
wait
unset MAKEFLAGS MAKELEVEL MFLAGS # the page's commands are those of a shell: a make within one prints more
.venv/bin/python -m pytest -m environment tests/device "$@"
