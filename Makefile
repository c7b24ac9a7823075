# Two commands are enough: `make run` and `make test`. Everything lives in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Only this machine can see a `make run`; a deployment sets its own address.
LISTEN ?= 127.0.0.1:9855
ARGS ?=
# Processes that share the tests; 0 is this one alone.
WORKERS ?= auto

VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' exporter/theeye_exporter/__init__.py)
# What is built from a commit is dated as the commit is, so that it is the same whenever it is built.
COMMIT_TIME = $(shell git log -1 --format=%ct 2>/dev/null || echo 1580601600)
DIST_BIN := dist/environment/bin
BILL = dist/theeye-exporter-$(VERSION).cdx.json
# Or podman.
ENGINE ?= docker
IMAGE ?= theeye-exporter:$(VERSION)

.PHONY: run test bench check lint types docs dashboards pictures licences format lock dist image image-bill clean
.DEFAULT_GOAL := test

$(VENV)/run.stamp: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps -e .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/run.stamp

## run: serve the TheEye of the environment, or the demo when no token is set
run: $(VENV)/run.stamp
	@if [ -n "$$THEEYE_TOKEN$$THEEYE_TOKEN_FILE" ]; then \
	  exec $(BIN)/theeye-exporter --web.listen-address=$(LISTEN) $(ARGS); \
	else \
	  exec $(BIN)/theeye-exporter demo --web.listen-address=$(LISTEN) $(ARGS); \
	fi

## test: every test; tools that are missing on this machine are named (in CI they are failures)
test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) $(ARGS)

## bench: figures as ratios in one run, into docs/performance.md; ARGS=--quick for a short one that writes nothing
bench: $(VENV)/dev.stamp
	PYTHONPATH=tests $(BIN)/python -m benchmarks $(ARGS)

## check: what CI checks besides the tests
check: lint types
	$(BIN)/theeye-exporter metrics --format=markdown | diff -u docs/metrics.md -
	$(BIN)/python helm/make_chart.py --check
	@made=$$(mktemp -d) && trap 'rm -rf "$$made"' EXIT && \
	  PYTHONPATH=grafana $(BIN)/python -m theeye_dashboards "$$made" && diff -ru grafana/dashboards "$$made"

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/hadolint Dockerfile
	$(BIN)/zizmor --quiet --offline --config .github/zizmor.yml .github

types: $(VENV)/dev.stamp
	$(BIN)/mypy

## docs: regenerate what is generated
docs: dashboards
	$(BIN)/theeye-exporter metrics --format=markdown > docs/metrics.md
	$(BIN)/python helm/make_chart.py

## dashboards: regenerate the JSON of the Grafana dashboards
dashboards: $(VENV)/dev.stamp
	PYTHONPATH=grafana $(BIN)/python -m theeye_dashboards grafana/dashboards

## pictures: take the pictures of the dashboards anew, which needs prometheus, promtool and chromium
pictures: dashboards
	PYTHONPATH=grafana:tests $(BIN)/python tests/pictures.py docs/images

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

## lock: resolve pyproject.toml anew, with hashes, for every supported Python
lock: $(VENV)/dev.stamp
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --group dev -o requirements-dev.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --group build --constraint requirements-dev.lock -o requirements-build.lock

## dist: sdist and wheel, the wheel in an environment of its own with what is locked, bill of materials, licences, checksums
dist: $(VENV)/dev.stamp
	rm -rf dist
	SOURCE_DATE_EPOCH=$(COMMIT_TIME) $(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist
	$(PYTHON) -m venv --without-pip dist/environment
	$(BIN)/python -m pip --python $(DIST_BIN)/python install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip --python $(DIST_BIN)/python install --quiet --no-deps dist/*.whl
	SOURCE_DATE_EPOCH=$(COMMIT_TIME) $(BIN)/python release/sbom.py wheel $(DIST_BIN)/python $(BILL)
	$(BIN)/python release/licences.py $(BILL) > dist/licences.md
	cd dist && sha256sum *.tar.gz *.whl *.cdx.json > SHA256SUMS

## licences: regenerate docs/licences.md after a change of requirements.lock
licences: dist
	cp dist/licences.md docs/licences.md

## image: the container image, with docker or ENGINE=podman
image:
	BUILDAH_FORMAT=docker $(ENGINE) build --tag $(IMAGE) \
	  --build-arg SOURCE_DATE_EPOCH=$(COMMIT_TIME) \
	  --build-arg REVISION=$$(git rev-parse HEAD) \
	  --build-arg CREATED=$$(date -u -d @$(COMMIT_TIME) +%Y-%m-%dT%H:%M:%SZ) .

## image-bill: the bill of materials of that image
image-bill: dist
	container=$$($(ENGINE) create $(IMAGE)) && \
	  $(ENGINE) export --output dist/image.tar $$container && $(ENGINE) rm $$container
	$(BIN)/python release/sbom.py image $(BILL) dist/image.tar dist/theeye-exporter-image-$(VERSION).cdx.json

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
