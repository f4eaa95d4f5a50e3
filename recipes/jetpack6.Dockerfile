# Linted, not built here: hadolint reads it, no image was made of it, and it was not run on a Jetson.
#
# A server for a Jetson Orin on JetPack 6.1 or 6.2 (Jetson Linux 36.4), with CUDA 12.6, TensorRT 10.3 and Python 3.10 in
# the image. On the Jetson, from the repository's folder:
#   docker build -f recipes/jetpack6.Dockerfile -t edgener:jetpack6 .
#   docker run --rm --runtime nvidia -v /etc/nv_tegra_release:/etc/nv_tegra_release:ro -v "$PWD/out:/models" \
#       edgener:jetpack6 prepare /models/bundle
#   docker run --rm --runtime nvidia --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#       -v /etc/nv_tegra_release:/etc/nv_tegra_release:ro -p 127.0.0.1:8080:8080 -e EDGENER_TOKEN \
#       -v "$PWD/out:/models:ro" edgener:jetpack6
# The first one builds the engine on this very GPU and writes it beside the bundle: out has to be writable by user 10001.
ARG BASE=nvcr.io/nvidia/l4t-jetpack:r36.4.0

# hadolint ignore=DL3006
FROM ${BASE} AS python
# Ubuntu keeps no older versions of its packages, so none is pinned. The environment sees the system's packages:
# TensorRT's bindings are among them
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv --system-site-packages /opt/edgener
ENV PATH=/opt/edgener/bin:$PATH PYTHONDONTWRITEBYTECODE=1

FROM python AS build
# NVIDIA's wheels for this board: those of the public index have no code for its GPU
ARG GPU_INDEX=https://pypi.jetson-ai-lab.io/jp6/cu126
COPY runtime /src
RUN pip download --no-cache-dir --no-deps --dest /wheels --index-url "$GPU_INDEX" onnxruntime-gpu \
    && pip wheel --no-cache-dir --wheel-dir /wheels "/src[serve,mqtt]" /wheels/onnxruntime_gpu-*.whl

FROM python
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index /wheels/*.whl \
    && useradd --system --uid 10001 --no-create-home edgener
# the GPU's devices belong to group 44, video
USER 10001:44
EXPOSE 8080
HEALTHCHECK --start-period=60s --interval=30s --timeout=5s \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
ENTRYPOINT ["edgener-runtime"]
CMD ["serve", "/models/bundle", "--device", "jetson", "--host", "0.0.0.0"]
