# Two commands are enough: `make run` and `make test`. Everything lives in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Only this machine can see a `make run`; a deployment sets its own address.
LISTEN ?= 127.0.0.1:9855
ARGS ?=

.PHONY: run test bench check lint types docs dashboards pictures format lock clean
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
	$(BIN)/python -m pytest $(ARGS)

## bench: figures as ratios in one run
bench: $(VENV)/dev.stamp
	$(BIN)/python tests/benchmarks/ledger.py

## check: what CI checks besides the tests
check: lint types
	$(BIN)/theeye-exporter metrics --format=markdown | diff -u docs/metrics.md -
	@made=$$(mktemp -d) && trap 'rm -rf "$$made"' EXIT && \
	  PYTHONPATH=grafana $(BIN)/python -m theeye_dashboards "$$made" && diff -ru grafana/dashboards "$$made"

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

## docs: regenerate what is generated
docs: dashboards
	$(BIN)/theeye-exporter metrics --format=markdown > docs/metrics.md

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

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
