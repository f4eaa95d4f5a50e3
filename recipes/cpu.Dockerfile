# Built and run by podman in a test, on x86-64, from Debian's packages in the place of Debian's image.
#
# A server for a CPU, x86-64 or arm64. From the repository's folder:
#   docker build -f recipes/cpu.Dockerfile -t edgener:cpu .
#   docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges -p 127.0.0.1:8080:8080 \
#       -e EDGENER_TOKEN -v "$PWD/out:/models:ro" edgener:cpu
ARG BASE=debian:12-slim

# hadolint ignore=DL3006
FROM ${BASE} AS python
# Debian keeps no older versions of its packages, so none is pinned
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/edgener
ENV PATH=/opt/edgener/bin:$PATH PYTHONDONTWRITEBYTECODE=1

FROM python AS build
COPY runtime /src
RUN pip wheel --no-cache-dir --wheel-dir /wheels "/src[cpu,serve,mqtt]"

FROM python
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index /wheels/*.whl \
    && useradd --system --uid 10001 --no-create-home edgener
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --start-period=30s --interval=30s --timeout=5s \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
ENTRYPOINT ["edgener-runtime"]
CMD ["serve", "/models/bundle", "--device", "cpu", "--host", "0.0.0.0"]
