#!/usr/bin/env bash
# make_image.sh TARGET [BUNDLE]: the image edgener:TARGET of recipes/TARGET.Dockerfile, built by docker, podman or
# buildah, whichever is here; with a bundle, edgener:TARGET-bundle that contains it. Prints the command to type next.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$1 bundle=${2:-} recipe=recipes/$1.Dockerfile image=edgener:$1

fail() { # CODE MESSAGE HINT
    printf 'error: %s\n  %s\n' "$2" "$3" >&2
    exit "$1"
}

device=() # what a container of that target needs of its machine
case $target in
    cpu) ;;
    cuda) device=(--gpus all --tmpfs /tmp) ;;
    jetpack6 | jetpack7) device=(--runtime nvidia --tmpfs /tmp -v /etc/nv_tegra_release:/etc/nv_tegra_release:ro) ;;
    *) fail 2 "TARGET is '$target', expected one of: cpu, cuda, jetpack6, jetpack7" "make image TARGET=cpu" ;;
esac
if [[ -n $bundle && ! -f $bundle/manifest.json ]]; then
    fail 5 "$bundle is not a bundle: it has no manifest.json" "Make one with: edgener export"
fi

# a podman or buildah has to be told to write health checks: the OCI's format has none
if docker info >/dev/null 2>&1; then
    program=docker build=(docker build)
elif command -v podman >/dev/null; then
    program=podman build=(podman build --format docker)
elif command -v buildah >/dev/null; then
    program=buildah build=(buildah build --format docker)
else
    fail 6 "there is no docker that answers, no podman and no buildah here" \
        "Install one, on Debian and Ubuntu: apt-get install podman. Without containers: make device-folder"
fi

"${build[@]}" -f "$recipe" -t "$image" .
# shellcheck disable=SC2016 # the person's shell expands it
models=(-v '"$PWD/out:/models:ro"')
if [[ -n $bundle ]]; then
    "${build[@]}" -f recipes/bundle.Dockerfile --build-arg "IMAGE=$image" -t "$image-bundle" "$bundle"
    image=$image-bundle models=()
fi
echo "$image is built by $program. Set EDGENER_TOKEN, and run it:"
[[ $program != buildah ]] || program="buildah push $image docker-daemon:$image && docker"
echo "  $program run --rm --read-only --cap-drop ALL --security-opt no-new-privileges -p 127.0.0.1:8080:8080" \
    "-e EDGENER_TOKEN" "${device[@]}" "${models[@]}" "$image"
