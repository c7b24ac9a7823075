# Two commands are enough: `make run` and `make test`. Everything lives in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Only this machine can see a `make run`; a deployment sets its own address.
LISTEN ?= 127.0.0.1:9855
ARGS ?=
# Processes that share the tests; 0 is this one alone.
WORKERS ?= auto
# Of `make torture`: how often everything is tried, and the seed of the random choices; with 0, each run has a new seed.
SCALE ?= 1
SEED ?= 0
# Of `make game-day`: how many seconds a minute takes.
MINUTE ?= 10

# Tests of code that uses libraries.
USERS_OF_DEPENDENCIES = tests/collectors tests/config tests/exposition tests/observability tests/polling tests/theeye \
  tests/web tests/test_cli.py tests/test_main.py --ignore=tests/web/test_browser.py

VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' exporter/theeye_exporter/__init__.py)
# Files that are built have the date of the commit, so each build of a commit makes the same files.
COMMIT_TIME = $(shell git log -1 --format=%ct 2>/dev/null || echo 1580601600)
DIST_BIN := dist/environment/bin
BILL = dist/theeye-exporter-$(VERSION).cdx.json
# docker or podman.
ENGINE ?= docker
IMAGE ?= theeye-exporter:$(VERSION)

.PHONY: run test test-fast test-lowest test-newest test-dist chart torture bench check lint types docs dashboards pictures game-day version licences format lock dist image image-bill clean
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

## test: say how long it takes and which tools are missing, and run every test; if CI is set, a missing tool is a failure
test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) $(ARGS)

## test-fast: run the tests that are quick and need no tools, in less than a minute on two quiet cores
test-fast: $(VENV)/dev.stamp
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --fast $(ARGS)

## torture: repeat the attacks of the tests many more times; SCALE=1 takes hours, SEED repeats a run
torture: $(VENV)/dev.stamp
	PYTHONPATH=tests $(BIN)/python -m torture --scale=$(SCALE) --seed=$(SEED) $(ARGS)

## test-lowest, test-newest: run the tests of code that uses libraries, with the lowest or the newest versions that
## pyproject.toml allows, in a separate environment
test-lowest: RESOLUTION = lowest-direct
test-newest: RESOLUTION = highest
test-lowest test-newest: $(VENV)/dev.stamp
	rm -rf $(VENV)/$@ && mkdir $(VENV)/$@
	$(BIN)/uv pip compile --quiet --python $(BIN)/python --no-annotate --resolution $(RESOLUTION) \
	  -o $(VENV)/$@/requirements.txt pyproject.toml
	cp requirements-dev.lock $(VENV)/$@/with-tools.txt
	$(BIN)/uv pip compile --quiet --python $(BIN)/python --no-annotate --group dev \
	  --constraint $(VENV)/$@/requirements.txt -o $(VENV)/$@/with-tools.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)/$@/venv
	$(BIN)/uv pip install --quiet --python $(VENV)/$@/venv/bin/python -r $(VENV)/$@/with-tools.txt
	$(BIN)/uv pip install --quiet --python $(VENV)/$@/venv/bin/python --no-deps --no-build-isolation -e .
	$(VENV)/$@/venv/bin/python -m pytest --numprocesses=$(WORKERS) $(USERS_OF_DEPENDENCIES) $(ARGS)

## chart: test the chart with Helm 3 and Helm 4
chart: $(VENV)/dev.stamp
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) tests/chart $(ARGS)

## bench: compare the exporter with other programs, and write docs/performance.md; ARGS=--quick is short and writes nothing
bench: $(VENV)/dev.stamp
	PYTHONPATH=tests $(BIN)/python -m benchmarks $(ARGS)

## check: run all checks of CI except the tests
check: lint types
	$(BIN)/theeye-exporter metrics --format=markdown | diff -u docs/metrics.md -
	$(BIN)/python release/make_reference.py --check
	$(BIN)/python release/make_imports.py --check
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

## docs: regenerate the generated documents, the dashboards, and the generated parts of the chart
docs: dashboards
	$(BIN)/theeye-exporter metrics --format=markdown > docs/metrics.md
	$(BIN)/python release/make_reference.py
	$(BIN)/python release/make_imports.py
	$(BIN)/python helm/make_chart.py

## dashboards: regenerate the JSON of the Grafana dashboards
dashboards: $(VENV)/dev.stamp
	PYTHONPATH=grafana $(BIN)/python -m theeye_dashboards grafana/dashboards

## pictures: redraw the pictures of the dashboards; needs prometheus, promtool and chromium
pictures: dashboards
	PYTHONPATH=grafana:tests $(BIN)/python tests/pictures.py docs/images

## game-day: play each fault of the simulated TheEye with a real Prometheus and Alertmanager, and write who is told what into
## docs/alerts.md
game-day: $(VENV)/dev.stamp
	PYTHONPATH=tests $(BIN)/python tests/game_day.py docs/alerts.md $(MINUTE)

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

## lock: resolve the dependencies of pyproject.toml again, with hashes, for every supported Python
lock: $(VENV)/dev.stamp
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" $(ARGS) -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --group dev $(ARGS) -o requirements-dev.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --group build --constraint requirements-dev.lock $(ARGS) \
	  -o requirements-build.lock

## dist: make sdist, wheel, bill of materials, licences and checksums, and install the wheel and the locked dependencies in
## dist/environment
dist: $(VENV)/dev.stamp
	rm -rf dist
	SOURCE_DATE_EPOCH=$(COMMIT_TIME) $(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist
	$(PYTHON) -m venv --without-pip dist/environment
	$(BIN)/python -m pip --python $(DIST_BIN)/python install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip --python $(DIST_BIN)/python install --quiet --no-deps dist/*.whl
	SOURCE_DATE_EPOCH=$(COMMIT_TIME) $(BIN)/python release/sbom.py wheel $(DIST_BIN)/python $(BILL)
	$(BIN)/python release/licences.py $(BILL) > dist/licences.md
	cd dist && sha256sum *.tar.gz *.whl *.cdx.json > SHA256SUMS

## test-dist: test that wheel instead of the checkout: its licences and metrics are as documented, and a real Prometheus can
## scrape it
test-dist: dist
	diff -u docs/licences.md dist/licences.md
	$(DIST_BIN)/theeye-exporter --version
	$(DIST_BIN)/theeye-exporter metrics --format=markdown | diff -u docs/metrics.md -
	EXPORTER_UNDER_TEST=$(DIST_BIN)/theeye-exporter $(BIN)/python -m pytest --numprocesses=$(WORKERS) \
	  tests/e2e/test_prometheus.py tests/e2e/test_web_config.py

## version: print the version of the sources; if TAG is set, the tag and the changelog must have this version
version:
	@test -z "$$TAG" || { test "$$TAG" = "v$(VERSION)" && grep -qF "## [$(VERSION)]" CHANGELOG.md; } || \
	  { echo "the tag $$TAG is not v$(VERSION), or CHANGELOG.md has no heading for it" >&2; exit 1; }
	@echo $(VERSION)

## licences: regenerate docs/licences.md after a change of requirements.lock
licences: dist
	cp dist/licences.md docs/licences.md

## image: build the container image, with docker or ENGINE=podman
image:
	BUILDAH_FORMAT=docker $(ENGINE) build --tag $(IMAGE) \
	  --build-arg SOURCE_DATE_EPOCH=$(COMMIT_TIME) \
	  --build-arg REVISION=$$(git rev-parse HEAD) \
	  --build-arg CREATED=$$(date -u -d @$(COMMIT_TIME) +%Y-%m-%dT%H:%M:%SZ) .

## image-bill: write the bill of materials of that image
image-bill: dist
	container=$$($(ENGINE) create $(IMAGE)) && \
	  $(ENGINE) export --output dist/image.tar $$container && $(ENGINE) rm $$container
	$(BIN)/python release/sbom.py image $(BILL) dist/image.tar dist/theeye-exporter-image-$(VERSION).cdx.json

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
