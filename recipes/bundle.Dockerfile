# An image that contains a bundle, of one that contains the runtime. Built and run by podman in a test, for CPUs alone.
# `make image TARGET=cpu BUNDLE=out/bundle` does both; by hand, the folder at the end is the bundle:
#   docker build -f recipes/bundle.Dockerfile --build-arg IMAGE=edgener:cpu -t edgener:cpu-bundle out/bundle
ARG IMAGE=edgener:cpu

# hadolint ignore=DL3006
FROM ${IMAGE}
COPY . /models/bundle
