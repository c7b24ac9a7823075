# theeye-exporter as a container image: docs/image.md

# A tag can move. For a reproducible build, add the digest: PYTHON_TAG=3.13-slim@sha256:…
ARG PYTHON_TAG=3.13-slim

FROM docker.io/library/python:${PYTHON_TAG} AS build

# Date of the files in the wheel; the default is that of hatchling, 2020-02-02.
ARG SOURCE_DATE_EPOCH=1580601600
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_COMPILE=1 \
    PIP_ONLY_BINARY=:all: \
    PIP_REQUIRE_HASHES=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /build
COPY requirements-build.lock requirements.lock ./
RUN python -m venv tools \
 && tools/bin/python -m pip install --quiet -r requirements-build.lock \
 && python -m venv --without-pip /opt/theeye-exporter \
 && tools/bin/python -m pip --python /opt/theeye-exporter/bin/python install --quiet -r requirements.lock

COPY LICENSE README.md pyproject.toml ./
COPY exporter exporter
RUN tools/bin/hatchling build -t wheel -d dist \
 && PIP_REQUIRE_HASHES=0 tools/bin/python -m pip --python /opt/theeye-exporter/bin/python install --quiet --no-deps dist/*.whl

# Python cannot write bytecode to a read-only root, and the base has none of Python's own library. So the build writes all of it
# to a separate folder. Python never compares our bytecode with the dates of our files, because builders change these dates.
ENV PYTHONPYCACHEPREFIX=/opt/theeye-exporter/bytecode
RUN stdlib="$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && python -m compileall -q -x '/(dist-packages|site-packages|ensurepip|idlelib|pydoc_data|test|tkinter|turtledemo)/' "$stdlib" \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/theeye-exporter/lib


FROM docker.io/library/python:${PYTHON_TAG}

RUN install -d -o 65532 -g 65532 -m 0750 /var/lib/theeye-exporter
COPY --from=build /opt/theeye-exporter /opt/theeye-exporter

# PYTHONSAFEPATH: Python imports nothing from the working directory, the only folder that the exporter can write to.
ENV PATH=/opt/theeye-exporter/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPYCACHEPREFIX=/opt/theeye-exporter/bytecode \
    PYTHONSAFEPATH=1

USER 65532:65532
WORKDIR /var/lib/theeye-exporter
VOLUME /var/lib/theeye-exporter
EXPOSE 9855
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-m", "theeye_exporter.healthcheck"]
ENTRYPOINT ["theeye-exporter"]

# The commit and its date.
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="theeye-exporter" \
      org.opencontainers.image.description="Prometheus exporter for TheEye: monitors, host statistics, tasks and jobs" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13-slim"
