# Linted, not built here: hadolint reads it, no image was made of it.
#
# A server for a CPU, x86-64 or arm64. From the repository's folder:
#   docker build -f recipes/cpu.Dockerfile -t edgener:cpu .
#   docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges -p 127.0.0.1:8080:8080 \
#       -e EDGENER_TOKEN -v "$PWD/out:/models:ro" edgener:cpu
FROM python:3.12-slim-bookworm AS build
COPY runtime /src
RUN pip wheel --no-cache-dir --wheel-dir /wheels "/src[cpu,serve,mqtt]"

FROM python:3.12-slim-bookworm
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index /wheels/*.whl \
    && useradd --system --uid 10001 --no-create-home edgener
ENV PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --start-period=30s --interval=30s --timeout=5s \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
ENTRYPOINT ["edgener-runtime"]
CMD ["serve", "/models/bundle", "--device", "cpu", "--host", "0.0.0.0"]
