# Linted, not built here: hadolint reads it, no image was made of it, and it was not run on a GPU.
#
# A server for an NVIDIA GPU of an x86-64 machine whose driver serves CUDA 13 (nvidia-smi says so), with NVIDIA's
# container toolkit. From the repository's folder:
#   docker build -f recipes/cuda.Dockerfile -t edgener:cuda .
#   docker run --rm --gpus all --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#       -p 127.0.0.1:8080:8080 -e EDGENER_TOKEN -v "$PWD/out:/models:ro" edgener:cuda
# For --device tensorrt add --build-arg MORE="tensorrt-cu13>=10.13", and build the engine first, with out writable by
# user 10001 and mounted without :ro:
#   docker run --rm --gpus all -v "$PWD/out:/models" edgener:cuda prepare /models/bundle
ARG BASE=nvcr.io/nvidia/cuda:13.0.2-cudnn-runtime-ubuntu24.04

# hadolint ignore=DL3006
FROM ${BASE} AS python
# Ubuntu keeps no older versions of its packages, so none is pinned
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/edgener
ENV PATH=/opt/edgener/bin:$PATH PYTHONDONTWRITEBYTECODE=1

FROM python AS build
ARG MORE=""
COPY runtime /src
# without quotes, as there may be several packages in it
# hadolint ignore=SC2086
RUN pip wheel --no-cache-dir --wheel-dir /wheels "/src[cuda,serve,mqtt]" "onnxruntime-gpu>=1.27" $MORE

FROM python
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index /wheels/*.whl \
    && useradd --system --uid 10001 --no-create-home edgener
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --start-period=60s --interval=30s --timeout=5s \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
ENTRYPOINT ["edgener-runtime"]
CMD ["serve", "/models/bundle", "--device", "cuda", "--host", "0.0.0.0"]
