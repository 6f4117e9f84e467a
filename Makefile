# `make help` says what there is. Only python3 (3.11 or newer, with venv) is needed beforehand.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
CODE := api scheduler shared workers
READY := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
CHECK := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
COMPILE = printf 'hatchling>=1.27\neditables>=0.5\n' | $(BIN)/python -m uv pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
	--custom-compile-command 'make lock' pyproject.toml -

.DEFAULT_GOAL := help
.PHONY: crawl demo up test lint audit bench bench-check conformance soak lock clean help

crawl: ## crawl a site and sum up: make crawl URL=https://example.com ARGS="--max-pages 100"
	@if [ -z "$$URL" ]; then echo 'usage: make crawl URL=https://example.com [ARGS="--max-pages 100"]' >&2; exit 2; fi
	@$(MAKE) --no-print-directory $(READY)
	@$(BIN)/crawlyard crawl "$$URL" $(ARGS)

demo: $(READY) ## crawl a small site served on this machine, no internet needed
	@$(BIN)/crawlyard demo $(ARGS)

up: $(READY) ## run the whole system here until Ctrl-C
	@$(BIN)/crawlyard up

# Most tests wait for processes: three at a time on two cores. JOBS=0 runs them in this process. The files in order: the
# long ones of tests/acceptance must not be begun last.
test: $(DEV) ## run the tests: make test ARGS="-k settings"
	@$(BIN)/python -m pytest -n $(or $(JOBS),3) --dist loadfile --no-loadscope-reorder -m "not alone" $(ARGS) || [ $$? = 5 ]
	@$(BIN)/python -m pytest -m alone $(ARGS) || [ $$? = 5 ]

lint: $(DEV) ## check style, format, types and what bandit finds
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/bandit --quiet --recursive --configfile pyproject.toml $(CODE)

audit: $(DEV) ## look the locked packages up among known vulnerabilities; asks PyPI
	@$(BIN)/python -m tests.audit

bench: $(DEV) ## measure beside others: make bench ARGS="crawl --rounds 1"
	@$(BIN)/python -m tests.bench $(ARGS)

bench-check: $(DEV) ## compare with the stored ratios: fails where something became much slower
	@$(BIN)/python -m tests.bench.check $(ARGS)

conformance: $(DEV) ## crawl real documentation sites and compare with their files
	@$(BIN)/python -m tests.conformance $(ARGS)

soak: $(DEV) ## crawl for long, with kills
	@$(BIN)/python -m tests.soak $(ARGS)

lock: $(DEV) ## choose the newest versions and write both locks
	@$(PIP) uv
	@$(COMPILE) --upgrade --output-file requirements.lock
	@$(COMPILE) --upgrade --extra dev --constraint requirements.lock --output-file requirements-dev.lock

clean: ## remove the virtual environment, caches and builds; data in .crawlyard stays
	@rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@found=; for p in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
		if "$$p" -c '$(CHECK)' 2>/dev/null; then found=$$p; break; fi; done; \
	if [ -z "$$found" ]; then \
		echo 'Python 3.11 or newer with venv is needed (Debian: apt-get install python3-venv); or name one: PYTHON=...' >&2; \
		exit 1; fi; \
	"$$found" -m venv $(VENV)

# The project itself is installed in place, with the hatchling of the lock: nothing comes unhashed.
$(READY): requirements.lock pyproject.toml | $(BIN)/python
	@echo 'Installing into $(VENV) ...' >&2
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements-dev.lock $(READY)
	@echo 'Installing the tools for tests ...' >&2
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@
