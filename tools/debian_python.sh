#!/usr/bin/env bash
# debian_python.sh ARCHITECTURE FOLDER [PACKAGE...]: a root folder that holds Debian's Python for amd64 or arm64, the
# libraries that it and wheels need, those packages, and nothing else. No package is installed on this system: they are
# unpacked as plain files (no script of theirs runs, no owner or setuid bit is taken over). What was laid out before is
# kept while the list of packages is the same.
# shellcheck disable=SC2086 # debs is a list
set -euo pipefail
architecture=$1 root=$2
shift 2
suite=bookworm
debs="libc6 libgcc-s1 libstdc++6 gcc-12-base zlib1g libbz2-1.0 liblzma5 libssl3 libffi8 libexpat1 libsqlite3-0
      libuuid1 libnsl2 libtirpc3 libreadline8 libtinfo6 libncursesw6 libdb5.3 libcrypt1 media-types
      python3.11-minimal libpython3.11-minimal libpython3.11-stdlib $*"
wanted=$(echo "$suite" "$architecture" $debs | sha256sum)
[[ $(cat "$root.ready" 2>/dev/null) == "$wanted" ]] && exit 0

rm -rf "$root" "$root.ready" && mkdir -p "$root"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/apt/{lists/partial,archives/partial,sources} "$work/debs"
: >"$work/apt/status"
printf 'Types: deb\nURIs: %s\nSuites: %s %s-updates\nComponents: main\nSigned-By: %s\n' \
    http://deb.debian.org/debian $suite $suite /usr/share/keyrings/debian-archive-keyring.gpg \
    >"$work/apt/sources/debian.sources"

apt() { # apt-get with lists, cache and package state of its own
    apt-get -qq -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" -o APT::Sandbox::User=root \
        -o Dir::State="$work/apt" -o Dir::State::lists="$work/apt/lists" -o Dir::State::status="$work/apt/status" \
        -o Dir::Cache="$work/apt" -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/apt/sources" "$@"
}

apt update
(cd "$work/debs" && apt download $debs)
for deb in "$work"/debs/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x --no-same-owner --no-same-permissions -C "$root"
done
# byte code of the standard library, as Debian's own scripts write it: else each start compiles it anew, under emulation too
"$(dirname "$0")/../.venv/bin/python" -m compileall -q --invalidation-mode unchecked-hash -s "$root" -p / "$root/usr/lib/python3.11"
mkdir -p "$root"/{tmp,work} && chmod 1777 "$root/tmp"
echo "$wanted" >"$root.ready"
